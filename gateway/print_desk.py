"""Giving an order to the printer, once; and hearing how it goes there.

The record of a print job is written before the printer hears of it, and names the job there by its
``external_id``. From then on the order can't be cancelled by us. Whoever finds a record without a
``vendor_id`` has the printer asked for a job of that name before it is given one: an answer that
was lost, or a process that died, prints nothing twice. While one process talks to the printer,
others keep off.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import order_book
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


@dataclass(frozen=True)
class PrintDesk:
    """Talks to the printer about orders. Methods block.

    ``print_order`` makes what the printer is told of an order under an external id. For
    ``settle`` after somebody talked to the printer without hearing the end of it, it isn't
    asked again: its search may show a new job only after a while.
    """

    engine: Engine
    clock: Clock
    vendor: PrintVendor
    vendor_name: str
    process: ThisProcess
    settle: timedelta
    print_order: Callable[[Session, Order, str], PrintOrder]

    def submit(self, order_id: str) -> None:
        """Give the order to the printer, unless it has it.

        Raises:
            RunStopped: the order was held or stopped.
            StepBusy: another process is about it.
            StepFailed: the printer refused the order, or can't be reached.
        """
        wanted = self._claim(order_id)
        if wanted is None:
            return
        try:
            job = self.vendor.submit(wanted)
        except PrintRejected as error:
            self._unclaim(wanted.external_id, PrintStatus.REJECTED)
            raise StepFailed(f"print_rejected: {error}") from None
        except PrintError as error:
            logger.warning("printer failed", extra={"order_id": order_id, "reason": str(error)})
            self._unclaim(wanted.external_id, None)
            pause = max(error.retry_after_s or 0.0, self.settle.total_seconds())
            raise StepFailed("printer_unavailable", again=True, pause_s=pause) from None
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
            if job.tracking_urls or job.carrier:
                record.tracking = {"carrier": job.carrier, "urls": list(job.tracking_urls)}
            if record.edition == order.edition:
                self._follow(session, order, job)
            return True

    def due(self, limit: int) -> Sequence[str]:
        """The external ids of jobs that the printer is to be asked about."""
        with reading(self.engine) as session:
            return session.scalars(
                select(PrintJobRecord.external_id)
                .where(PrintJobRecord.ask_at <= self.clock.now())
                .order_by(PrintJobRecord.ask_at)
                .limit(limit)
            ).all()

    def ask(self, external_id: str) -> None:
        """Ask the printer about a job; if it can't tell, it is asked again later."""
        with writing(self.engine) as session:
            record = session.get(PrintJobRecord, external_id, with_for_update=True)
            if record is None or record.ask_at is None or record.ask_at > self.clock.now():
                return
            record.ask_at = self.clock.now() + _QUESTIONS_EVERY
            vendor_id = record.vendor_id
        try:
            job = self.vendor.state(vendor_id) if vendor_id else self.vendor.find(external_id)
        except PrintError as error:
            logger.warning("printer can't be asked", extra={"reason": str(error)})
            return
        if job is not None:
            self.heard(job)

    def _claim(self, order_id: str) -> PrintOrder | None:
        """What to give to the printer; None if it has it already."""
        with writing(self.engine) as session:
            order = order_book.lock_order(session, order_id)
            if order is None or not order.status.is_working:
                raise RunStopped
            now = self.clock.now()
            if order.hold_reason is not None:
                order_book.hold(session, order, order.hold_reason, now, actor=order_book.SYSTEM)
                stopped = True
            else:
                stopped = False
                record = self._record(session, order)
                if record.vendor_id is not None:
                    order_book.move(session, order, OrderStatus.IN_PRODUCTION, now, actor=_PRINTER)
                    return None
                if not self._is_free(session, record) or self._may_show_yet(record):
                    raise StepBusy
                wanted = self.print_order(session, order, record.external_id)
                record.claimed_until = now + CLAIM_LIFE
                record.claimed_by = self.process.executor_id
                record.asked_at = now
                record.attempts += 1
                record.status = None
                record.updated_at = now
                order_book.move(session, order, OrderStatus.SUBMITTING, now)
        if stopped:
            raise RunStopped
        return wanted

    def _is_free(self, session: Session, record: PrintJobRecord) -> bool:
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
        if record.asked_at is None or record.status == PrintStatus.REJECTED:
            return False
        return record.asked_at + self.settle > self.clock.now()

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
        after = _ORDER_STATUS[job.status]
        if order.status is not after and after in TRANSITIONS[order.status]:
            order_book.move(session, order, after, now, actor=_PRINTER)


def external_id(order: Order) -> str:
    """The name of the order's edition at the printer."""
    return f"{order.order_id}-{order.edition}"
