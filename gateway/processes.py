"""Which gateways are alive, and whose claims still stand.

A claim says that a process is at something, until when, and which process. It lapses with its time
or with its process, whichever ends first: so the time may be long, and a death costs little.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from gateway.order_records import GatewayProcess


@dataclass(frozen=True)
class ThisProcess:
    """Who claims. A process that wasn't seen for ``lost_after`` is dead."""

    executor_id: str
    lost_after: timedelta

    def is_alive(self, now: datetime) -> ColumnElement[bool]:
        """The SQL condition that a process was seen lately. One that was seen in the future was
        seen before the clock was set back: if it is alive, it is seen again in a moment."""
        return and_(
            GatewayProcess.seen_at > now - self.lost_after,
            GatewayProcess.seen_at < now + self.lost_after,
        )

    def may_claim(self, record: Any, now: datetime) -> ColumnElement[bool]:
        """The SQL condition that nobody has a record of this kind (``claimed_until``,
        ``claimed_by``) claimed at the moment."""
        living = select(GatewayProcess.executor_id).where(self.is_alive(now))
        return or_(
            record.claimed_until.is_(None),
            record.claimed_until < now,
            record.claimed_by.not_in(living),
        )
