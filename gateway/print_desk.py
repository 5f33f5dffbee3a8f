"""Giving an order to the printer, once; and hearing how it goes there.

The record of a print job is written before the printer hears of it, and names the job there by its
``external_id``. From then on the order can't be cancelled by us. Whoever finds a record without a
``vendor_id`` has the printer asked for a job of that name before it is given one: an answer that
was lost, or a process that died, prints nothing twice. While one process talks to the printer,
others keep off.

An order that is held while it is given to the printer is only looked for there: if the printer
hasn't got it, it stays here.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import order_book
from gateway.due import is_due
from gateway.order_records import Order, PrintJobRecord
from gateway.orders import TRANSITIONS, OrderStatus, Stage
from gateway.ports import (
    Clock,
    PrintError,
    PrintJob,
    PrintOrder,
    PrintRejected,
    PrintStatus,
    PrintVendor,
)
from gateway.processes import ThisProcess
from gateway.records import reading, writing
from gateway.run_errors import RunStopped, StepBusy, StepFailed

logger = logging.getLogger(__name__)

CLAIM_LIFE: Final = timedelta(minutes=20)
"""How long one process may talk to the printer about an order: longer than the printer may take to
check the files, with all time-outs."""

_QUESTIONS_EVERY: Final = timedelta(hours=2)
_PRINTER: Final = "printer"

_ORDER_STATUS: Final = {
    PrintStatus.ACCEPTED: OrderStatus.IN_PRODUCTION,
    PrintStatus.IN_PRODUCTION: OrderStatus.IN_PRODUCTION,
    PrintStatus.SHIPPED: OrderStatus.SHIPPED,
    PrintStatus.DELIVERED: OrderStatus.DELIVERED,
}
_ENDED_BADLY: Final = (PrintStatus.REJECTED, PrintStatus.CANCELLED)


_WAY: Final = (OrderStatus.IN_PRODUCTION, OrderStatus.SHIPPED, OrderStatus.DELIVERED)


@dataclass(frozen=True)
class _Claim:
    """What the printer is to be given; without ``order`` it is only asked whether it has it."""

    external_id: str
    order: PrintOrder | None


@dataclass(frozen=True)
class PrintDesk:
    """Talks to the printer about orders. Methods block.

    ``print_order`` makes what the printer is told of an order under an external id. For
    ``settle`` after somebody talked to the printer without hearing the end of it, it isn't
    asked again: its search may show a new job only after a while. ``talks`` are the external ids
    that this process talks to the printer about at the moment.
    """

    engine: Engine
    clock: Clock
    vendor: PrintVendor
    vendor_name: str
    process: ThisProcess
    settle: timedelta
    print_order: Callable[[Session, Order, str], PrintOrder]
    talks: set[str] = field(default_factory=set)

    def submit(self, order_id: str) -> None:
        """Give the order to the printer, unless it has it.

        Raises:
            RunStopped: the order was held or stopped.
            StepBusy: another process is about it.
            StepFailed: the printer refused the order, or can't be reached.
        """
        claim = self._claim(order_id)
        if claim is None:
            return
        self.talks.add(claim.external_id)
        try:
            self._talk(order_id, claim)
        finally:
            self.talks.discard(claim.external_id)

    def _talk(self, order_id: str, claim: _Claim) -> None:
        try:
            job = (
                self.vendor.submit(claim.order)
                if claim.order
                else self.vendor.find(claim.external_id)
            )
        except PrintRejected as error:
            self._unclaim(claim.external_id, PrintStatus.REJECTED)
            raise StepFailed(f"print_rejected: {error}") from None
        except PrintError as error:
            logger.warning("printer failed", extra={"order_id": order_id, "reason": str(error)})
            self._unclaim(claim.external_id, None)
            pause = max(error.retry_after_s or 0.0, self.settle.total_seconds())
            raise StepFailed("printer_unavailable", again=True, pause_s=pause) from None
        if job is None:
            self._unclaim(claim.external_id, PrintStatus.CANCELLED)
            raise StepBusy  # the next look holds it, or submits it if it was released
        self.heard(job)

    def heard(self, job: PrintJob) -> bool:
        """Apply what the printer tells of a job; whether it is one of ours."""
        with writing(self.engine) as session:
            record = session.get(PrintJobRecord, job.external_id, with_for_update=True)
            if record is None:
                return False
            order = order_book.lock_order(session, record.order_id)
            assert order is not None
            now = self.clock.now()
            record.vendor_id = job.vendor_id
            record.claimed_until = None
            record.status = job.status
            record.updated_at = now
            record.ask_at = None if job.status.is_terminal else now + _QUESTIONS_EVERY
            # Where a parcel is on its way to is no longer anybody's business after an erasure.
            if (job.tracking_urls or job.carrier) and order.erased_at is None:
                record.tracking = {"carrier": job.carrier, "urls": list(job.tracking_urls)}
            if record.edition == order.edition:
                self._follow(session, order, job)
            return True

    def due(self, limit: int) -> Sequence[str]:
        """The external ids of jobs that the printer is to be asked about."""
        with reading(self.engine) as session:
            return session.scalars(
                select(PrintJobRecord.external_id)
                .where(is_due(PrintJobRecord.ask_at, self.clock.now(), _QUESTIONS_EVERY))
                .order_by(PrintJobRecord.ask_at)
                .limit(limit)
            ).all()

    def ask(self, external_id: str) -> None:
        """Ask the printer about a job; if it can't tell, it is asked again later."""
        with writing(self.engine) as session:
            now = self.clock.now()
            record = session.scalar(
                select(PrintJobRecord)
                .where(PrintJobRecord.external_id == external_id)
                .where(is_due(PrintJobRecord.ask_at, now, _QUESTIONS_EVERY))
                .with_for_update()
            )
            if record is None:
                return
            record.ask_at = now + _QUESTIONS_EVERY
            vendor_id = record.vendor_id
        try:
            job = self.vendor.state(vendor_id) if vendor_id else self.vendor.find(external_id)
        except PrintError as error:
            logger.warning("printer can't be asked", extra={"reason": str(error)})
            return
        if job is not None:
            self.heard(job)

    def _claim(self, order_id: str) -> _Claim | None:
        """The right to talk to the printer about an order; None if the printer has it."""
        stop: Exception | None = None
        claim: _Claim | None = None
        with writing(self.engine) as session:
            order = order_book.lock_order(session, order_id)
            if order is None or not order.status.is_working:
                raise RunStopped
            now = self.clock.now()
            record = session.get(PrintJobRecord, external_id(order))
            if order.holds and not (record and _may_be_there(record)):
                order_book.hold(session, order, order.holds[0], now, actor=order_book.SYSTEM)
                stop = RunStopped()
            else:
                record = self._record(session, order)
                if record.vendor_id is not None:
                    assert record.status is not None  # it came with the id
                    self._advance(session, order, PrintStatus(record.status))
                elif self._is_free(session, record) and not self._may_show_yet(record):
                    claim = self._claimed(session, order, record)
                else:
                    stop = StepBusy()
        if stop:
            raise stop
        return claim

    def _claimed(self, session: Session, order: Order, record: PrintJobRecord) -> _Claim:
        wanted = None if order.holds else self.print_order(session, order, record.external_id)
        now = self.clock.now()
        record.claimed_until = now + CLAIM_LIFE
        record.claimed_by = self.process.executor_id
        record.asked_at = now
        record.attempts += 1
        record.status = None
        record.updated_at = now
        order_book.move(session, order, OrderStatus.SUBMITTING, now)
        return _Claim(record.external_id, wanted)

    def _is_free(self, session: Session, record: PrintJobRecord) -> bool:
        own = record.claimed_by == self.process.executor_id
        if own and record.external_id not in self.talks:
            return True  # our own claim of a talk whose end the database didn't hear of
        session.flush()
        free = self.process.may_claim(PrintJobRecord, self.clock.now())
        return bool(
            session.scalar(
                select(PrintJobRecord.external_id).where(
                    PrintJobRecord.external_id == record.external_id, free
                )
            )
        )

    def _may_show_yet(self, record: PrintJobRecord) -> bool:
        """Whether the printer may have a job that its search doesn't show yet."""
        now = self.clock.now()
        if record.asked_at is None or record.status in _ENDED_BADLY:
            return False
        if record.asked_at > now:
            record.asked_at = now  # the clock was set back: nobody knows how long ago it was
        return record.asked_at + self.settle > now

    def _record(self, session: Session, order: Order) -> PrintJobRecord:
        """The job of the order's edition. What the printer gave up is a new edition."""
        record = session.get(PrintJobRecord, external_id(order), with_for_update=True)
        if record is not None and record.vendor_id and record.status in _ENDED_BADLY:
            order.edition += 1
            record = session.get(PrintJobRecord, external_id(order))
        if record is None:
            now = self.clock.now()
            record = PrintJobRecord(
                external_id=external_id(order),
                order_id=order.order_id,
                edition=order.edition,
                vendor=self.vendor_name,
                files=order.files or {},
                attempts=0,
                created_at=now,
                updated_at=now,
            )
            session.add(record)
        return record

    def _unclaim(self, wanted: str, status: PrintStatus | None) -> None:
        with writing(self.engine) as session:
            record = session.get_one(PrintJobRecord, wanted, with_for_update=True)
            record.claimed_until = None
            record.status = status
            record.updated_at = self.clock.now()

    def _follow(self, session: Session, order: Order, job: PrintJob) -> None:
        now = self.clock.now()
        if job.status in _ENDED_BADLY:
            reason = f"printer_{job.status}" + (f": {job.message}" if job.message else "")
            order_book.park(session, order, Stage.SUBMIT, reason, now)
            return
        self._advance(session, order, job.status)

    def _advance(self, session: Session, order: Order, status: PrintStatus) -> None:
        """Bring the order to where the printer has it, by way of what the printer didn't tell."""
        way = _WAY[: _WAY.index(_ORDER_STATUS[status]) + 1]
        if order.status.is_working:
            way = (OrderStatus.SUBMITTING, *way)
        for after in way:
            if after in TRANSITIONS[order.status]:
                order_book.move(session, order, after, self.clock.now(), actor=_PRINTER)


def external_id(order: Order) -> str:
    """The name of the order's edition at the printer."""
    return f"{order.order_id}-{order.edition}"


def _may_be_there(record: PrintJobRecord) -> bool:
    """Whether the printer has the job, or may have it."""
    return record.asked_at is not None and record.status not in _ENDED_BADLY
