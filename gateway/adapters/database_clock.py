"""The time of a PostgreSQL that several gateways share.

Gateways on several machines compare moments that others wrote: who was seen lately, whose claim
still stands. They need one clock for that, and the database is what they have in common.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError


class DatabaseClock:
    """The database's time when it was last asked, and what has passed since by ``monotonic``,
    which gives seconds and is never set. The machine's own date doesn't matter.

    Threads may share it. ``now`` asks nobody; ``synchronise`` blocks.
    """

    def __init__(self, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Ask for the time.

        Raises:
            SQLAlchemyError: the database doesn't answer.
        """
        self._engine = engine
        self._monotonic = monotonic
        self._lock = Lock()
        earliest, latest = self._ask()
        self._zero = earliest + (latest - earliest) / 2

    def now(self) -> datetime:
        """The current time, timezone-aware, UTC."""
        return self._zero + timedelta(seconds=self._monotonic())

    def synchronise(self) -> None:
        """Ask for the time again. While the database is away, the clock goes on as it was.

        An answer is as exact as it was quick: within that the clock stays as it is, so that a slow
        answer moves no clock that was right.
        """
        try:
            earliest, latest = self._ask()
        except SQLAlchemyError:
            return
        with self._lock:
            self._zero = min(max(self._zero, earliest), latest)

    def _ask(self) -> tuple[datetime, datetime]:
        """The earliest and the latest time that it can have been when ``monotonic`` was 0."""
        with self._engine.connect() as connection:
            before = self._monotonic()
            # Not now(): that is when the transaction began.
            told = connection.execute(select(func.clock_timestamp())).scalar_one()
            after = self._monotonic()
        moment = told.astimezone(UTC)
        return moment - timedelta(seconds=after), moment - timedelta(seconds=before)
