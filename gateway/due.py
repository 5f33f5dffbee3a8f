"""When something that waits is due, by a clock that may have been set back.

What waits carries the moment until which it waits. Once the clock is set back, that moment may lie
further ahead than any pause reaches: nobody can have meant that, and it is due at once. So a wrong
clock delays nothing for longer than its own longest pause.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, case, literal, or_
from sqlalchemy.orm import InstrumentedAttribute

from gateway.records import UtcDateTime

Moment = InstrumentedAttribute[datetime | None] | InstrumentedAttribute[datetime]

SLACK: Final = timedelta(seconds=5)
"""Clocks are corrected by a little all the time, and those of two gateways differ by as much: that
makes nothing due."""


def is_due(moment: Moment, now: datetime, longest: timedelta) -> ColumnElement[bool]:
    """The SQL condition that ``moment`` has come, or lies further ahead than ``longest``, the
    longest pause that ever leads to it. A row without a moment isn't due."""
    return or_(moment <= now, moment > now + longest + SLACK)


def is_due_again(
    moment: Moment,
    attempts: InstrumentedAttribute[int],
    now: datetime,
    longest: Sequence[timedelta],
) -> ColumnElement[bool]:
    """The same for what is tried with growing pauses: ``longest[n]`` is the longest one after
    ``n`` attempts; the last one stands for all that follow."""
    latest = [literal(now + pause + SLACK, UtcDateTime()) for pause in longest]
    bound = case(dict(enumerate(latest)), value=attempts, else_=latest[-1])
    return or_(moment <= now, moment > bound)
