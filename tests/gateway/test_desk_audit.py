"""The audit log of the order desk, read over HTTP."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.cursors import cursor
from gateway.desk_users import Role
from gateway.order_records import AuditEntry
from gateway.records import writing
from gateway.services import Services
from tests.gateway.clerk import Clerk
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def olga(stage: Stage) -> Clerk:
    return Clerk(stage.services, stage.client)


def note(services: Services, action: str, username: str = "viktor", **fields: Any) -> None:
    with writing(services.engine) as session:
        now = services.clock.now()
        session.add(AuditEntry(at=now, username=username, action=action, **fields))


def told(olga: Clerk, **query: Any) -> list[str]:
    answer = olga.get("/audit", **query)
    assert answer.status_code == 200, answer.text
    return [entry["action"] for entry in answer.json()["entries"]]


def test_it_is_told_newest_first_page_by_page(olga: Clerk, clock: MovableClock) -> None:
    for number in range(12):  # more than nine, and any three at the same moment
        note(olga.services, f"did_{number:02d}")
        clock.move(minutes=number % 3 == 2)
    actions: list[str] = []
    query: dict[str, Any] = {"limit": 5}
    while True:
        page = olga.get("/audit", **query).json()
        actions += [entry["action"] for entry in page["entries"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert actions == [f"did_{number:02d}" for number in reversed(range(12))] + ["logged_in"]


def test_it_is_filtered_by_order_person_action_and_time(olga: Clerk, clock: MovableClock) -> None:
    clock.move(hours=1)
    note(olga.services, "order_viewed", order_id="one")
    clock.move(hours=1)
    note(olga.services, "order_viewed", order_id="two", username="olga")
    clock.move(hours=1)
    note(olga.services, "cancelled", order_id="two")
    assert told(olga, order_id="two") == ["cancelled", "order_viewed"]
    assert told(olga, username="viktor") == ["cancelled", "order_viewed"]
    assert told(olga, action="order_viewed", username="viktor") == ["order_viewed"]
    since = {"since": "2030-01-01T14:00:00Z"}
    assert told(olga, **since) == ["cancelled", "order_viewed"]
    assert told(olga, **since, until="2030-01-01T16:00:00+01:00") == ["order_viewed"]
    assert told(olga, order_id="three") == []


def test_what_a_desk_action_writes_down_is_read_here(olga: Clerk, orders: OrderStage) -> None:
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    olga.act(order_id, "hold", {"reason": "wrong_child"})
    (entry,) = olga.get("/audit", order_id=order_id).json()["entries"]
    assert (entry["username"], entry["action"]) == ("olga", "held")
    assert entry["detail"] == {"reason": "wrong_child", "in_time": True}


def test_only_operators_read_it(stage: Stage) -> None:
    viktor = Clerk(stage.services, stage.client, "viktor", Role.VIEWER)
    answer = viktor.get("/audit")
    assert (answer.status_code, answer.json()["code"]) == (403, "desk_forbidden")
    answer = stage.client.get("/desk/api/audit")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_required")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "MjAzMC0wMS0wMVQwMDowMDowMCswMDowMCBhYg"},  # its id is no number
        {"cursor": cursor(datetime(2030, 1, 1, tzinfo=UTC), "9" * 30)},
        {"since": "2030-01-01T00:00:00"},
        {"until": "soon"},
        {"limit": "0"},
        {"order_id": "a/b"},
        {"action": "Hold"},
        {"username": "a\x00"},
        {"user": "olga"},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(olga: Clerk, query: dict[str, str]) -> None:
    answer = olga.get("/audit", **query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
