"""All callers together get only so many pictures an hour."""

from dataclasses import replace

import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from contract.errors import ErrorCode
from gateway.app import create_app
from gateway.records import Job as JobRecord
from gateway.records import writing
from gateway.services import Services
from tests.gateway.fakes import FakeEndpoint, MovableClock
from tests.gateway.rendering import BOOK, Stage

DATABASES = ("sqlite", "postgresql")
PREVIEW_PAGES = 3


@pytest.fixture
def stage(services: Services, endpoint: FakeEndpoint) -> Stage:
    """A gateway with a budget of two previews and a page."""
    budget = 2 * PREVIEW_PAGES + 1
    settings = services.settings.model_copy(update={"gpu_budget_pages": budget})
    poor = replace(services, settings=settings)
    return Stage(poor, endpoint, TestClient(create_app(poor), base_url="http://gateway.test"))


def body(stage: Stage) -> dict[str, object]:
    return {"photo_id": stage.photo(), "book_id": BOOK, "child_name": "Mia"}


def test_beyond_the_budget_a_preview_has_to_wait_for_the_oldest_to_be_an_hour_old(
    stage: Stage, clock: MovableClock
) -> None:
    stage.order()
    clock.move(minutes=20)
    stage.order()
    clock.move(minutes=10)
    refused = stage.ask(body(stage))
    assert (refused.status_code, refused.json()["code"]) == (429, "gpu_budget_spent")
    assert refused.headers["retry-after"] == str(30 * 60)
    clock.move(minutes=29, seconds=59)
    assert stage.ask(body(stage)).status_code == 429
    clock.move(seconds=1)
    assert stage.ask(body(stage)).status_code == 202


def test_what_is_refused_leaves_nothing_behind(stage: Stage) -> None:
    stage.order()
    stage.order()
    wanted = body(stage)
    assert [stage.ask(wanted, "key").status_code for _ in range(2)] == [429, 429]
    assert stage.dispatch() == 2


def test_the_same_request_again_costs_nothing(stage: Stage) -> None:
    first, second = body(stage), body(stage)
    answers = [stage.ask(wanted, "key") for wanted in (first, second, first, second, first)]
    assert {answer.status_code for answer in answers} == {202}


def test_another_take_of_a_page_is_within_the_budget(stage: Stage, endpoint: FakeEndpoint) -> None:
    jobs = [stage.order(), stage.order()]
    stage.dispatch()
    for sent in list(endpoint.submitted):
        stage.finish(sent)
    taken = [
        stage.client.post(
            "/api/generate-page",
            json={"preview_id": job.preview_id, "page_number": 1},
            headers=job.headers,
        )
        for job in jobs
    ]
    assert [answer.status_code for answer in taken] == [202, 429]
    assert taken[1].json()["code"] == "gpu_budget_spent"


def test_a_retry_is_within_the_budget(
    stage: Stage, endpoint: FakeEndpoint, clock: MovableClock
) -> None:
    job = stage.order()
    stage.order()
    stage.dispatch()
    (sent,) = [sent for sent in endpoint.submitted if sent.job_id == job.job_id]
    stage.fail(sent, ErrorCode.INVALID_INPUT)
    retried = stage.client.post(f"/api/preview/{job.job_id}/retry", headers=job.headers)
    assert (retried.status_code, retried.json()["code"]) == (429, "gpu_budget_spent")
    assert stage.status(job)["status"] == "failed"
    clock.move(hours=1)
    retried = stage.client.post(f"/api/preview/{job.job_id}/retry", headers=job.headers)
    assert retried.status_code == 202


def test_the_pages_of_paid_books_are_outside_the_budget(stage: Stage, services: Services) -> None:
    stage.order()
    stage.order()
    with writing(services.engine) as session:
        session.execute(update(JobRecord).values(order_id="paid"))
    assert stage.ask(body(stage)).status_code == 202


def test_without_a_budget_nobody_waits(services: Services, endpoint: FakeEndpoint) -> None:
    client = TestClient(create_app(services), base_url="http://gateway.test")
    rich = Stage(services, endpoint, client)
    for _ in range(10):
        rich.order()
