"""Whatever happens to an order, and in whatever order: its rules hold.

Payments, refunds, disputes, the desk, runs and the printer meet in random sequences over the real
records. Steps before the printer only move the order: they have tests of their own.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import order_book
from gateway.migrations import upgrade
from gateway.order_book import Lives
from gateway.order_records import GatewayProcess, Order, OrderEvent, OutboxItem
from gateway.orders import TRANSITIONS, WORKING, IllegalTransition, OrderStatus, Stage
from gateway.ports import PrintError, PrintJob, PrintOrder, PrintRejected, PrintStatus
from gateway.print_desk import PrintDesk
from gateway.processes import ThisProcess
from gateway.records import Photo, Preview, open_engine, reading, writing
from gateway.run_errors import RunStopped, StepBusy, StepFailed
from tests.gateway.fakes import MovableClock
from tests.gateway.order_stage import payment

LIVES: Final = Lives(download=timedelta(days=30), photo=timedelta(days=30))
GONE: Final = (PrintStatus.REJECTED, PrintStatus.CANCELLED)
PREVIEW: Final = "preview-1"


@dataclass
class ForgetfulPrinter:
    """A printer. ``mood`` is how its next answer is: ``well``, ``lost`` (taken, not answered),
    ``away`` or ``strict`` (refused)."""

    mood: str = "well"
    jobs: list[PrintJob] = field(default_factory=list)

    def cover_size_in(self, product: str, pages: int) -> None:
        """Any size will do."""

    def find(self, external_id: str) -> PrintJob | None:
        if self.mood == "away":
            raise PrintError("away")
        found = [job for job in self.jobs if job.external_id == external_id]
        return next((job for job in found if job.status not in GONE), found[-1] if found else None)

    def submit(self, order: PrintOrder) -> PrintJob:
        found = self.find(order.external_id)
        if found is not None:
            return found
        if self.mood == "strict":
            raise PrintRejected({"address": "not a place"})
        job = PrintJob(f"v{len(self.jobs)}", order.external_id, PrintStatus.ACCEPTED)
        self.jobs.append(job)
        if self.mood == "lost":
            raise PrintError("timed out")
        return job

    def state(self, vendor_id: str) -> PrintJob | None:
        if self.mood == "away":
            raise PrintError("away")
        return next((job for job in self.jobs if job.vendor_id == vendor_id), None)

    def cancel(self, vendor_id: str) -> bool:
        return False

    def tell(self, status: PrintStatus) -> PrintJob | None:
        """The newest job comes to another status, if that can follow."""
        if not self.jobs or self.jobs[-1].status.is_terminal:
            return None
        last = self.jobs[-1]
        self.jobs[-1] = PrintJob(last.vendor_id, last.external_id, status)
        return self.jobs[-1]

    @property
    def living(self) -> list[PrintJob]:
        return [job for job in self.jobs if job.status not in GONE]


class OrderRules(RuleBasedStateMachine):
    """One order, and everybody who has to do with it."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "gateway.db")
        self.engine = open_engine(f"sqlite:///{self.folder}/gateway.db")
        self.clock = MovableClock()
        self.printer = ForgetfulPrinter()
        self.process = ThisProcess("gateway-1", timedelta(seconds=20))
        self.desk = PrintDesk(
            engine=self.engine,
            clock=self.clock,
            vendor=self.printer,
            vendor_name="printer",
            process=self.process,
            settle=timedelta(minutes=1),
            print_order=lambda _session, _order, name: _print_order(name),
        )
        self.ordered_when_refunded: int | None = None
        self.ordered_when_held: int | None = None
        self.order_id = ""

    def teardown(self) -> None:
        if self.order_id:
            self.nothing_is_stuck()
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @initialize()
    def first_payment(self) -> None:
        now = self.clock.now()
        with writing(self.engine) as session:
            _add_preview(session, self.clock)
            session.add(GatewayProcess(executor_id="gateway-1", started_at=now, seen_at=now))
        with writing(self.engine) as session:
            order = order_book.record_payment(session, payment(PREVIEW, paid_at=now), LIVES, now)
            assert order
            self.order_id = order.order_id

    @rule()
    def the_payment_is_told_again(self) -> None:
        now = self.clock.now()
        with writing(self.engine) as session:
            again = payment(PREVIEW, paid_at=now)
            assert order_book.record_payment(session, again, LIVES, now) is None

    @rule(after=st.sampled_from([*sorted(WORKING - {OrderStatus.SUBMITTING}), "awaiting_approval"]))
    def a_run_works(self, after: str) -> None:
        def move(session: Session, order: Order, now: Any) -> None:
            if order.status.is_working:
                order_book.move(session, order, OrderStatus(after), now)

        self.change(move)

    @rule(mood=st.sampled_from(["well", "lost", "away", "strict"]))
    def a_run_comes_to_the_printer(self, mood: str) -> None:
        self.printer.mood = mood
        self.submit()
        self.printer.mood = "well"

    @rule(status=st.sampled_from(PrintStatus))
    def the_printer_tells(self, status: PrintStatus) -> None:
        job = self.printer.tell(status)
        if job is not None:
            assert self.desk.heard(job)

    @rule()
    def the_printer_is_asked(self) -> None:
        for external_id in self.desk.due(10):
            self.desk.ask(external_id)

    # Rules are drawn evenly: what ends an order early has to be one of many.

    @rule(action=st.sampled_from(["hold", "release", "resume", "resume", "approve", "cancel"]))
    def the_desk_acts(self, action: str) -> None:
        match action:
            case "hold":
                self.change(lambda s, o, now: order_book.hold(s, o, "address", now, actor="ada"))
                self.ordered_when_held = len(self.printer.jobs)
            case "release" if self.ordered_when_refunded is None:
                self.change(lambda s, o, now: order_book.release(s, o, now, actor="ada"))
                self.ordered_when_held = None
            case "resume":
                self.change(
                    lambda s, o, now: order_book.resume(s, o, now, actor="ada", kind="resumed")
                )
            case "approve":
                self.change(lambda s, o, now: order_book.approve(s, o, now, actor="ada"))
            case "cancel":
                self.change(lambda s, o, now: order_book.cancel(s, o, "wish", now, actor="ada"))

    @rule(event=st.sampled_from(["disputed", "won", "won", "lost", "refunded", "partly refunded"]))
    def the_bank_acts(self, event: str) -> None:
        match event:
            case "disputed":
                self.change(lambda s, o, now: order_book.disputed(s, o, now, actor="stripe"))
            case "won" | "lost":
                won = event == "won"
                self.change(
                    lambda s, o, now: order_book.dispute_settled(
                        s, o, won=won, now=now, actor="stripe"
                    )
                )
            case _:
                fully = event == "refunded"
                self.change(
                    lambda s, o, now: order_book.refunded(
                        s, o, fully=fully, now=now, actor="stripe"
                    )
                )
                if fully and self.ordered_when_refunded is None:
                    self.ordered_when_refunded = len(self.printer.jobs)

    @rule(minutes=st.sampled_from([1, 180]))
    def time_passes(self, minutes: int) -> None:
        self.pass_time(minutes)

    @invariant()
    def one_book_is_printed_at_most(self) -> None:
        assert len(self.printer.living) <= 1

    @invariant()
    def nothing_is_ordered_once_all_money_went_back(self) -> None:
        if self.ordered_when_refunded is not None:
            assert len(self.printer.jobs) == self.ordered_when_refunded

    @invariant()
    def nothing_is_ordered_that_the_desk_holds(self) -> None:
        if self.ordered_when_held is not None:
            assert len(self.printer.jobs) == self.ordered_when_held

    @invariant()
    def what_is_printed_is_not_called_cancelled(self) -> None:
        if self.order_id and self.order().status is OrderStatus.CANCELLED:
            assert not self.printer.living

    @invariant()
    def the_history_is_one_of_allowed_transitions(self) -> None:
        if not self.order_id:
            return
        with reading(self.engine) as session:
            order = session.get_one(Order, self.order_id)
            events = session.scalars(select(OrderEvent).order_by(OrderEvent.event_id)).all()
        moves = [event for event in events if event.after is not None]
        where: OrderStatus | None = None
        for event in moves:
            assert event.before == where
            assert where is None or event.after in TRANSITIONS[where]
            where = OrderStatus(event.after or "")
        assert order.status is where

    @invariant()
    def letters_of_a_kind_leave_once(self) -> None:
        with reading(self.engine) as session:
            letters = select(OutboxItem.event).where(OutboxItem.kind == "mail")
            events = session.scalars(letters).all()
        assert len(events) == len(set(events))

    def nothing_is_stuck(self) -> None:
        """Runs that go on, and a printer that is well, end every order's work."""
        for _ in range(6):
            self.pass_time(180)
            self.submit()
        status = self.order().status
        assert not status.is_working, f"stuck as {status}"
        self.one_book_is_printed_at_most()
        self.nothing_is_ordered_that_the_desk_holds()
        self.nothing_is_ordered_once_all_money_went_back()

    def submit(self) -> None:
        try:
            self.desk.submit(self.order_id)
        except (RunStopped, StepBusy):
            return
        except StepFailed as error:
            reason = error.reason
            self.change(lambda s, o, now: order_book.park(s, o, Stage.SUBMIT, reason, now))

    def pass_time(self, minutes: int) -> None:
        self.clock.move(minutes=minutes)
        now = self.clock.now()
        with writing(self.engine) as session:
            session.get_one(GatewayProcess, "gateway-1").seen_at = now

    def change(self, change: Callable[[Session, Order, Any], object]) -> None:
        """Do something with the order; what its state doesn't allow changes nothing."""
        try:
            with writing(self.engine) as session:
                order = order_book.lock_order(session, self.order_id)
                assert order
                change(session, order, self.clock.now())
        except IllegalTransition:
            return

    def order(self) -> Order:
        with reading(self.engine) as session:
            return session.get_one(Order, self.order_id)


def _add_preview(session: Session, clock: MovableClock) -> None:
    now = clock.now()
    session.add(
        Photo(
            photo_id="photo-1",
            key="photos/photo-1/original.jpg",
            sha256="0" * 64,
            width=640,
            height=640,
            size_bytes=1000,
            face_confidence=0.9,
            face_area_percent=20.0,
            created_at=now,
            expires_at=now + timedelta(days=7),
        )
    )
    session.flush()
    session.add(
        Preview(
            preview_id=PREVIEW,
            photo_id="photo-1",
            book_id="moonlit-fox",
            child_name="Ada",
            style="style",
            request_hash="0" * 64,
            created_at=now,
            expires_at=now + timedelta(days=7),
        )
    )


def _print_order(name: str) -> Any:
    return SimpleNamespace(external_id=name)


@pytest.fixture(scope="module", autouse=True)
def template() -> Iterator[None]:
    """A database with the gateway's tables, to be copied."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.db"
        engine = open_engine(f"sqlite:///{path}")
        upgrade(engine)
        engine.dispose()
        OrderRules.template = path
        yield


@pytest.fixture
def order() -> Iterator[OrderRules]:
    """An order that was paid, for sequences that have a story."""
    rules = OrderRules()
    rules.first_payment()
    yield rules
    rules.teardown()


def test_an_orders_rules_hold_whatever_happens() -> None:
    run_state_machine_as_test(
        OrderRules,
        settings=settings(
            max_examples=80,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_an_order_that_the_printer_took_unheard_goes_on_from_where_the_printer_is(
    order: OrderRules,
) -> None:
    order.a_run_comes_to_the_printer("lost")
    assert order.order().status is OrderStatus.NEEDS_ATTENTION
    order.the_printer_tells(PrintStatus.DELIVERED)
    order.the_desk_acts("resume")
    order.time_passes(180)
    order.submit()
    assert order.order().status is OrderStatus.DELIVERED
    assert order.order().shipped_at


def test_a_refunded_order_that_may_be_at_the_printer_is_looked_for_and_not_ordered(
    order: OrderRules,
) -> None:
    order.a_run_comes_to_the_printer("away")
    order.the_bank_acts("refunded")
    assert order.order().status is OrderStatus.NEEDS_ATTENTION  # the printer may have it
    order.the_desk_acts("resume")
    for _ in range(2):
        order.time_passes(180)
        order.submit()
    assert order.order().status is OrderStatus.ON_HOLD
    assert not order.printer.jobs
    order.the_desk_acts("cancel")
    assert order.order().status is OrderStatus.CANCELLED


def test_a_held_order_that_the_printer_has_is_followed(order: OrderRules) -> None:
    order.a_run_comes_to_the_printer("lost")
    order.the_bank_acts("disputed")
    order.the_desk_acts("resume")
    order.time_passes(180)
    order.submit()
    assert order.order().status is OrderStatus.IN_PRODUCTION
    assert len(order.printer.jobs) == 1
