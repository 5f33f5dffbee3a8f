"""An order whose customer was erased: nothing of theirs comes back, whoever asks for it."""

from typing import Any, Final

import pytest

from gateway.customers import Customer
from gateway.order_records import PrintJobRecord
from gateway.orders import OrderStatus
from gateway.ports import PrintJob, PrintStatus
from gateway.records import reading
from tests.gateway.clerk import Clerk, audit
from tests.gateway.order_stage import ADDRESS, OrderStage
from tests.gateway.rendering import Stage

EMAIL: Final = "parent@example.com"
BODIES: Final[dict[str, dict[str, Any]]] = {
    "approve": {},
    "retry": {},
    "hold": {"reason": "ada"},
    "release": {},
    "resend": {"letter": "order_confirmed"},
    "refund-note": {"amount": 500, "note": "Ada Lovelace was paid back"},
    "address": ADDRESS,
    "dedication": {"dedication": "For Ada"},
    "pages/2/regenerate": {},
    "pages/2/choose": {"take": 1},
}
"""What can be done with an order, except that it is cancelled, and the words that go with it."""


@pytest.fixture
def olga(stage: Stage) -> Clerk:
    return Clerk(stage.services, stage.client)


def erased(orders: OrderStage, order_id: str) -> str:
    """The customer of an order is erased."""
    assert orders.services.erasure.erase_customer(Customer("default", email=EMAIL)).orders == 1
    return order_id


def given_to_the_printer(orders: OrderStage) -> str:
    order_id = orders.pay(orders.preview().preview_id)
    assert order_id
    assert orders.run(order_id) is None
    return order_id


def is_refused(answer: Any) -> bool:
    return (answer.status_code, answer.json()["code"]) == (409, "order_erased")


def test_every_action_of_the_desk_is_tried_here(orders: OrderStage) -> None:
    paths = orders.stage.client.get("/openapi.json").json()["paths"]
    prefix = "/desk/api/orders/{order_id}/"
    posted = [path for path in paths if path.startswith(prefix) and "post" in paths[path]]
    actions = {path.removeprefix(prefix).replace("{page_number}", "2") for path in posted}
    assert actions == {*BODIES, "cancel"}


@pytest.mark.parametrize("where", ["cancelled", "at the printer"])
def test_the_desk_does_nothing_with_an_erased_order(
    olga: Clerk, orders: OrderStage, where: str
) -> None:
    if where == "cancelled":
        order_id = orders.pay(orders.preview().preview_id)
        assert order_id
        orders.services.orders.outbox.send_due()  # the letter that could be sent again
    else:
        order_id = given_to_the_printer(orders)
    erased(orders, order_id)
    before = olga.see(order_id)
    written = audit(orders.services)
    for action, body in BODIES.items():
        assert is_refused(olga.act(order_id, action, body)), action
    assert olga.see(order_id) == before
    assert audit(orders.services) == [*written, ("olga", "order_viewed", order_id)]


def test_an_erased_order_that_the_printer_gave_up_is_cancelled(
    olga: Clerk, orders: OrderStage
) -> None:
    order_id = erased(orders, given_to_the_printer(orders))
    assert olga.act(order_id, "cancel").json()["code"] == "order_state"
    gone = PrintJob("v-1", f"{order_id}-1", PrintStatus.REJECTED)
    assert orders.services.orders.printing.heard(gone)
    assert orders.status(order_id) is OrderStatus.NEEDS_ATTENTION
    assert is_refused(olga.act(order_id, "retry"))
    assert olga.act(order_id, "cancel").json()["status"] == "cancelled"


def test_what_the_desk_and_the_printer_wrote_of_people_goes_with_them(
    olga: Clerk, orders: OrderStage
) -> None:
    order_id = given_to_the_printer(orders)
    assert olga.act(order_id, "refund-note", BODIES["refund-note"]).status_code == 200
    where = ("https://track.example/1",)
    shipped = PrintJob("v-1", f"{order_id}-1", PrintStatus.SHIPPED, where, carrier="Royal Mail")
    assert orders.services.orders.printing.heard(shipped)
    erased(orders, order_id)
    with reading(orders.services.engine) as session:
        assert session.get_one(PrintJobRecord, f"{order_id}-1").tracking is None
    history = {event["kind"]: event["detail"] for event in olga.see(order_id)["history"]}
    assert history["refund_note"] is None
    assert history["cancel_too_late"] == {"reason": "erased"}  # codes stay


def test_where_the_parcel_of_an_erased_order_goes_isnt_kept(orders: OrderStage) -> None:
    order_id = erased(orders, given_to_the_printer(orders))
    where = ("https://track.example/1",)
    shipped = PrintJob("v-1", f"{order_id}-1", PrintStatus.SHIPPED, where, carrier="Royal Mail")
    assert orders.services.orders.printing.heard(shipped)
    assert orders.status(order_id) is OrderStatus.SHIPPED
    with reading(orders.services.engine) as session:
        assert session.get_one(PrintJobRecord, f"{order_id}-1").tracking is None
