"""What a printer's webhook does: the printer is asked about that job, soon.

What the webhook says isn't believed: it may be old, and come twice. ``gateway.print_desk`` asks.
"""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from gateway.inbox import Message, NotYet
from gateway.order_records import PrintJobRecord
from gateway.ports import Clock
from gateway.records import writing


@dataclass(frozen=True)
class PrinterEvents:
    """Handles the printer's webhooks. Methods block, and are safe to repeat."""

    engine: Engine
    clock: Clock

    def handle(self, message: Message) -> str:
        """Have the printer asked about a job: the inbox's handler. ``second_id`` is the printer's
        id of it."""
        with writing(self.engine) as session:
            job = session.scalar(
                select(PrintJobRecord)
                .where(PrintJobRecord.vendor_id == message.second_id)
                .with_for_update()
            )
            if job is None:
                raise NotYet("no_print_job")
            if job.ask_at is None:
                return "ended"
            job.ask_at = min(job.ask_at, self.clock.now())
        return "asked"
