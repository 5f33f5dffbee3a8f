"""The inbox: what came is never lost, and done once, whoever dies or comes twice."""

import threading
from collections.abc import Callable
from datetime import timedelta

import anyio
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError

from gateway.inbox import (
    CLAIM_LIFE,
    MAX_ATTEMPTS,
    PATIENCE,
    Inbox,
    Message,
    NotYet,
    Recorder,
    Unusable,
    replay,
    wake,
)
from gateway.order_records import InboxItem
from gateway.records import reading, writing
from tests.gateway.fakes import MovableClock

DATABASES = ("sqlite", "postgresql")


def message(number: int = 1, **changes: str) -> Message:
    fields = {"source": "stripe", "message_id": f"evt_{number}", "topic": "t", "body": "{}"}
    return Message(**{**fields, **changes})


class Handler:
    """Remembers what it was given, and does what a test told it to."""

    def __init__(self) -> None:
        self.handled: list[str] = []
        self.does: Callable[[], object] = lambda: None

    def __call__(self, given: Message) -> str:
        self.handled.append(given.message_id)
        self.does()
        return "done"


def raising(error: Exception) -> Callable[[], object]:
    def does() -> None:
        raise error

    return does


@pytest.fixture
def handler() -> Handler:
    return Handler()


@pytest.fixture
def inbox(engine: Engine, clock: MovableClock, handler: Handler) -> Inbox:
    return Inbox(engine, clock, {"stripe": handler})


def item(inbox: Inbox, message_id: str = "evt_1") -> InboxItem:
    with reading(inbox.engine) as session:
        return session.scalars(select(InboxItem).where(InboxItem.message_id == message_id)).one()


def test_what_came_is_handled_once(inbox: Inbox, handler: Handler) -> None:
    assert inbox.record([message()]) == [True]
    assert (inbox.work_due(), inbox.work_due()) == (1, 0)
    assert handler.handled == ["evt_1"]
    assert (item(inbox).outcome, item(inbox).due_at) == ("done", None)


def test_what_is_done_with_leaves_no_body(inbox: Inbox) -> None:
    inbox.record([message(body='{"email": "parent@example.com"}')])
    inbox.work_due()
    assert item(inbox).body is None


def test_what_comes_twice_counts_once(inbox: Inbox, handler: Handler) -> None:
    assert inbox.record([message(), message(2), message()]) == [True, True, False]
    inbox.work_due()
    assert inbox.record([message()]) == [False]
    inbox.work_due()
    assert handler.handled == ["evt_1", "evt_2"]


def test_sources_have_ids_of_their_own(inbox: Inbox) -> None:
    assert inbox.record([message(), message(source="shopify")]) == [True, True]


def test_one_that_fails_is_tried_again_later_and_more_and_more_rarely(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(OSError("store is away"))
    inbox.record([message()])
    pauses = []
    for _ in range(3):
        inbox.work_due()
        due_at = item(inbox).due_at
        assert due_at
        pauses.append((due_at - clock.now()).total_seconds())
        assert inbox.work_due() == 0
        clock.moment = due_at
    assert pauses == [5, 20, 80]
    handler.does = lambda: None
    inbox.work_due()
    assert item(inbox).outcome == "done"


def test_one_that_always_fails_is_kept_for_a_person(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(ValueError("about somebody"))
    inbox.record([message()])
    for _ in range(MAX_ATTEMPTS + 3):
        inbox.work_due()
        clock.move(hours=7)
    assert len(handler.handled) == MAX_ATTEMPTS
    assert (item(inbox).outcome, item(inbox).body) == ("failed: ValueError", "{}")


def test_one_that_kills_the_process_each_time_is_given_up(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(KeyboardInterrupt())  # type: ignore[arg-type]  # as a dying process
    inbox.record([message()])
    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            inbox.work_due()
        assert inbox.work_due() == 0, "its lease runs"
        clock.move(seconds=CLAIM_LIFE.total_seconds())
    inbox.work_due()
    assert len(handler.handled) == MAX_ATTEMPTS
    assert item(inbox).outcome == "failed: no answer"


def test_a_failing_message_keeps_no_other_from_being_handled(
    inbox: Inbox, handler: Handler
) -> None:
    handler.does = raising(RuntimeError())
    inbox.record([message(1), message(2)])
    assert inbox.work_due() == 2
    assert handler.handled == ["evt_1", "evt_2"]


def test_one_that_is_of_no_use_is_not_tried_again(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(Unusable("form"))
    inbox.record([message()])
    inbox.work_due()
    clock.move(days=1)
    assert inbox.work_due() == 0
    assert item(inbox).outcome == "failed: form"


def test_a_person_has_it_handled_once_more(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(Unusable("form"))
    inbox.record([message()])
    inbox.work_due()
    clock.move(days=30)
    handler.does = lambda: None
    assert replay(inbox.engine, inbox.clock, "stripe", "evt_1")
    inbox.work_due()
    assert item(inbox).outcome == "done"
    assert not replay(inbox.engine, inbox.clock, "stripe", "evt_1"), "its body is gone"
    assert not replay(inbox.engine, inbox.clock, "stripe", "evt_9")


def test_one_whose_subject_is_missing_waits_for_three_days(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(NotYet("no_order"))
    inbox.record([message()])
    begun = clock.now()
    while item(inbox).due_at is not None:
        inbox.work_due()
        clock.moment = item(inbox).due_at or clock.moment
    assert PATIENCE <= clock.now() - begun < PATIENCE + timedelta(hours=2)
    assert 20 < len(handler.handled) < 120
    assert (item(inbox).outcome, item(inbox).body) == ("gave up: no_order", "{}")


def test_one_that_waits_is_woken_when_its_subject_comes(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(NotYet("no_order"))
    inbox.record([message(second_id="pi_1"), message(2, second_id="pi_2")])
    inbox.work_due()
    clock.move(seconds=1)
    assert inbox.work_due() == 0
    handler.does = lambda: None
    with writing(inbox.engine) as session:
        wake(session, clock.now(), source="stripe", second_id="pi_1")
    assert inbox.work_due() == 1
    assert handler.handled[-1] == "evt_1"


def test_one_that_waited_in_vain_is_woken_too(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    handler.does = raising(NotYet("no_order"))
    inbox.record([message(second_id="pi_1")])
    clock.move(days=4)
    inbox.work_due()
    assert item(inbox).due_at is None
    handler.does = lambda: None
    with writing(inbox.engine) as session:
        wake(session, clock.now(), source="stripe", second_id="pi_1")
    assert inbox.work_due() == 1


def test_one_that_is_woken_while_it_is_handled_goes_again_at_once(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    """What it waited for came between its look and its going back to sleep."""

    def looks_in_vain() -> None:
        clock.move(seconds=1)
        with writing(inbox.engine) as session:
            wake(session, clock.now(), source="stripe", second_id="pi_1")
        raise NotYet("no_order")

    handler.does = looks_in_vain
    inbox.record([message(second_id="pi_1")])
    inbox.work_due()
    handler.does = lambda: None
    assert inbox.work_due() == 1


def test_two_gateways_handle_a_message_once(
    inbox: Inbox, engine: Engine, clock: MovableClock, handler: Handler
) -> None:
    inbox.record([message(number) for number in range(12)])
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        while Inbox(engine, clock, {"stripe": handler}).work_due():
            pass

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(handler.handled) == sorted(f"evt_{number}" for number in range(12))


def test_requests_at_once_share_transactions(inbox: Inbox) -> None:
    """Each learns whether its own message was new; the writer is asked far less often."""
    writes: list[int] = []

    class Counting(Inbox):
        def record(self, messages: list[Message]) -> list[bool]:  # type: ignore[override]
            writes.append(len(messages))
            return super().record(messages)

    recorder = Recorder(Counting(inbox.engine, inbox.clock, {}))
    answers: dict[int, bool] = {}

    async def ask(number: int) -> None:
        answers[number] = await recorder.record(message(number // 2))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(ask, number)

    anyio.run(main)
    assert len(answers) == 100
    assert sum(answers.values()) == 50
    assert sum(writes) == 100
    assert len(writes) <= 4


def test_everybody_hears_that_a_shared_transaction_failed(inbox: Inbox) -> None:
    class Broken(Inbox):
        def record(self, messages: list[Message]) -> list[bool]:  # type: ignore[override]
            raise OperationalError("INSERT", {}, Exception("disk full"))

    recorder = Recorder(Broken(inbox.engine, inbox.clock, {}))
    failed: list[int] = []

    async def ask(number: int) -> None:
        try:
            await recorder.record(message(number))
        except OperationalError:
            failed.append(number)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(ask, number)

    anyio.run(main)
    assert sorted(failed) == [0, 1, 2, 3, 4]


def test_a_caller_who_goes_away_takes_nobody_else_along(inbox: Inbox) -> None:
    woken: list[None] = []
    recorder = Recorder(inbox, lambda: woken.append(None))
    answers: list[bool] = []

    async def main() -> None:
        async with anyio.create_task_group() as leaving:
            leaving.start_soon(recorder.record, message(1))
            await anyio.lowlevel.checkpoint()
            leaving.cancel_scope.cancel()
        answers.append(await recorder.record(message(2)))

    anyio.run(main)
    assert answers == [True]
    assert {row.message_id for row in rows(inbox)} == {"evt_1", "evt_2"}
    assert woken


def rows(inbox: Inbox) -> list[InboxItem]:
    with reading(inbox.engine) as session:
        return list(session.scalars(select(InboxItem)))


def test_one_that_killed_a_process_takes_no_others_along_the_next_time(
    inbox: Inbox, handler: Handler, clock: MovableClock
) -> None:
    """The others of its batch get their turn, each by itself."""

    def dies_at_the_third() -> None:
        if handler.handled[-1] == "evt_3":
            raise KeyboardInterrupt

    handler.does = dies_at_the_third
    inbox.record([message(number) for number in range(1, 6)])
    with pytest.raises(KeyboardInterrupt):
        inbox.work_due()
    for _ in range(5 * MAX_ATTEMPTS):
        clock.move(seconds=CLAIM_LIFE.total_seconds())
        try:
            while inbox.work_due():
                pass
        except KeyboardInterrupt:
            continue
    outcomes = {row.message_id: row.outcome for row in rows(inbox)}
    assert outcomes.pop("evt_3") == "failed: no answer"
    assert set(outcomes.values()) == {"done"}
