"""A clock that is set back delays nothing for longer than its own longest pause."""

from collections.abc import Callable
from datetime import timedelta

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select, update

from contract.status import JobStatus
from gateway import inbox as inbox_module
from gateway.due import SLACK, is_due, is_due_again
from gateway.inbox import Inbox, Message
from gateway.ledger import LONGEST_PAUSE
from gateway.order_records import InboxItem, OutboxItem
from gateway.ports import EndpointError, EndpointState, MailError
from gateway.records import Job, reading, writing
from gateway.services import Services
from gateway.stop_jobs import stop_cancelled, stop_jobs
from tests.gateway.fakes import FakeEndpoint, FakeMailer, MovableClock
from tests.gateway.order_stage import OrderStage
from tests.gateway.rendering import Stage, result

DATABASES = ("sqlite", "postgresql")
HOUR = 3600
SECONDS = st.integers(-10 * HOUR, 10 * HOUR)
ITEM = {"source": "stripe", "message_id": "evt_1", "topic": "t", "attempts": 0}


@pytest.fixture
def kept(services: Services, clock: MovableClock) -> Engine:
    """A database with one message."""
    with writing(services.engine) as session:
        session.execute(insert(InboxItem).values(**ITEM, received_at=clock.now()))
    return services.engine


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ahead=SECONDS, longest=st.integers(0, 6 * HOUR))
def test_what_comes_or_cant_be_meant_is_due(
    kept: Engine, clock: MovableClock, ahead: int, longest: int
) -> None:
    now = clock.now()
    with writing(kept) as session:
        session.execute(update(InboxItem).values(due_at=now + timedelta(seconds=ahead)))
        due = is_due(InboxItem.due_at, now, timedelta(seconds=longest))
        found = session.scalar(select(InboxItem.message_id).where(due))
    assert (found is None) == (0 < ahead <= longest + SLACK.total_seconds())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ahead=SECONDS, attempts=st.integers(0, 9))
def test_growing_pauses_have_growing_bounds(
    kept: Engine, clock: MovableClock, ahead: int, attempts: int
) -> None:
    now = clock.now()
    pauses = [timedelta(0), timedelta(seconds=5), timedelta(hours=1)]
    with writing(kept) as session:
        moment = now + timedelta(seconds=ahead)
        session.execute(update(InboxItem).values(due_at=moment, attempts=attempts))
        due = is_due_again(InboxItem.due_at, InboxItem.attempts, now, pauses)
        found = session.scalar(select(InboxItem.message_id).where(due))
    longest = pauses[min(attempts, 2)] + SLACK
    assert (found is None) == (0 < ahead <= longest.total_seconds())


def test_what_waits_for_nothing_is_never_due(kept: Engine, clock: MovableClock) -> None:
    due = is_due(InboxItem.due_at, clock.now(), timedelta(0))
    with reading(kept) as session:
        assert session.scalar(select(InboxItem.message_id).where(due)) is None


def test_a_quiet_job_is_asked_about_though_the_clock_was_set_back(
    stage: Stage, clock: MovableClock, endpoint: FakeEndpoint
) -> None:
    job = stage.order()
    stage.dispatch()
    sent = endpoint.submitted[0]
    told = result(sent, stage.store(sent, [1, 2, 3])).model_dump(mode="json")
    stage.endpoint_says(EndpointState.COMPLETED, output=told)
    clock.move(hours=-1)
    assert stage.reconcile() == 1
    assert stage.status(job)["status"] == "completed"


def test_a_job_that_waits_for_its_next_attempt_goes_though_the_clock_was_set_back(
    stage: Stage, clock: MovableClock, endpoint: FakeEndpoint
) -> None:
    endpoint.fail_with = EndpointError("429", retry_after_s=30.0)
    stage.order()
    stage.dispatch()
    endpoint.fail_with = None
    assert stage.dispatch() == 0
    clock.move(hours=-1)
    assert stage.dispatch() == 1
    assert len(endpoint.submitted) == 1


def test_an_endpoint_cant_ask_for_a_pause_without_an_end(
    stage: Stage, clock: MovableClock, endpoint: FakeEndpoint
) -> None:
    endpoint.fail_with = EndpointError("429", retry_after_s=999_999.0)
    stage.order()
    stage.dispatch()
    endpoint.fail_with = None
    clock.move(seconds=LONGEST_PAUSE.total_seconds() - 1)
    assert stage.dispatch() == 0
    clock.move(seconds=1)
    assert stage.dispatch() == 1


def test_a_dead_gateways_claim_ends_though_the_clock_was_set_back(
    stage: Stage, services: Services, clock: MovableClock
) -> None:
    job = stage.order()
    assert services.dispatcher.ledger.claim(job.job_id)
    assert stage.dispatch() == 0
    clock.move(hours=-1)
    assert stage.dispatch() == 1


def test_a_clock_that_is_corrected_by_a_second_ends_no_claim(
    stage: Stage, services: Services, clock: MovableClock
) -> None:
    job = stage.order()
    assert services.dispatcher.ledger.claim(job.job_id)
    clock.move(seconds=-1)
    assert stage.dispatch() == 0


@pytest.fixture
def failing(services: Services, clock: MovableClock) -> tuple[Inbox, Callable[[], int]]:
    """An inbox whose handler fails, and how often that was called."""
    calls = []

    def fail(_message: Message) -> str:
        calls.append(1)
        raise RuntimeError

    return Inbox(services.engine, clock, {inbox_module.STRIPE: fail}), lambda: len(calls)


@pytest.mark.parametrize("hours", [0, -1])
def test_a_message_that_failed_is_tried_again_though_the_clock_was_set_back(
    failing: tuple[Inbox, Callable[[], int]], clock: MovableClock, hours: int
) -> None:
    inbox, calls = failing
    inbox.record([Message(inbox_module.STRIPE, "evt_1", "topic", "{}")])
    inbox.work_due()
    clock.move(hours=hours)
    inbox.work_due()
    assert calls() == (2 if hours else 1)


def test_a_message_that_was_never_handled_goes_at_once_whenever_it_came(
    failing: tuple[Inbox, Callable[[], int]], clock: MovableClock
) -> None:
    inbox, calls = failing
    inbox.record([Message(inbox_module.STRIPE, "evt_1", "topic", "{}")])
    clock.move(minutes=-30)
    inbox.work_due()
    assert calls() == 1


def test_a_letter_that_failed_is_sent_though_the_clock_was_set_back(
    orders: OrderStage, mailer: FakeMailer, clock: MovableClock
) -> None:
    orders.pay(orders.preview().preview_id)
    outbox = orders.services.orders.outbox
    mailer.fail_with = MailError("away")
    outbox.send_due()
    mailer.fail_with = None
    assert outbox.send_due() == 0
    clock.move(hours=-1)
    assert outbox.send_due() > 0
    with reading(orders.services.engine) as session:
        unsent = select(OutboxItem.message_id).where(OutboxItem.sent_at.is_(None))
        assert not session.scalars(unsent).all()


def test_a_stopped_job_is_told_of_though_the_clock_was_set_back(
    stage: Stage, services: Services, clock: MovableClock, endpoint: FakeEndpoint
) -> None:
    job = stage.order()
    stage.dispatch()
    with writing(services.engine) as session:
        assert (
            stop_jobs(
                services.dispatcher.ledger,
                [session.get_one(Job, job.job_id)],
                clock.now(),
            )
            == 1
        )
    clock.move(hours=-1)
    assert anyio.run(stop_cancelled, services.engine, clock, endpoint) == 1
    assert endpoint.cancelled == ["rp-1"]
    with reading(services.engine) as session:
        assert session.get_one(Job, job.job_id).status is JobStatus.CANCELLED
