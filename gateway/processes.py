"""Which gateways are alive, and whose claims still stand.

A claim says that a process is at something, until when, and which process. It lapses with its time
or with its process, whichever ends first: so the time may be long, and a death costs little.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from gateway.order_records import GatewayProcess


@dataclass(frozen=True)
class ThisProcess:
    """Who claims. A process that wasn't seen for ``lost_after`` is dead."""

    executor_id: str
    lost_after: timedelta

    def may_claim(self, record: Any, now: datetime) -> ColumnElement[bool]:
        """The SQL condition that nobody has a record of this kind (``claimed_until``,
        ``claimed_by``) claimed at the moment."""
        living = select(GatewayProcess.executor_id).where(
            GatewayProcess.seen_at > now - self.lost_after
        )
        return or_(
            record.claimed_until.is_(None),
            record.claimed_until < now,
            record.claimed_by.not_in(living),
        )
