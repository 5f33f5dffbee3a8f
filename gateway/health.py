"""Whether the gateway and what it depends on are well."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from threading import Lock
from time import perf_counter

import anyio
from anyio import CapacityLimiter, to_thread
from sqlalchemy import Engine, text

from gateway.endpoint_watch import EndpointWatch
from gateway.ports import Clock
from gateway.records import reading
from gateway.services import Services

logger = logging.getLogger(__name__)

Ping = Callable[[], Awaitable[object]]

_FRESH = timedelta(seconds=2)
_PATIENCE_S = 2.0
_MAILER_EVERY = timedelta(seconds=60)
_REQUIRED = ("database", "object_store")


class DependencyStatus(StrEnum):
    """How a dependency answered."""

    OK = "ok"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Dependency:
    """A dependency's answer and how long it took, in milliseconds."""

    status: DependencyStatus
    duration_ms: float


@dataclass(frozen=True)
class Report:
    """All dependencies at one moment, by name."""

    checked_at: datetime
    dependencies: dict[str, Dependency]

    @property
    def healthy(self) -> bool:
        """Whether every dependency is well."""
        return all(d.status is DependencyStatus.OK for d in self.dependencies.values())

    @property
    def ready(self) -> bool:
        """Whether requests can be taken. The endpoint and the mailer aren't needed for that, since
        jobs and letters wait for them, nor is the key-value mirror, since SQL has what it has."""
        return all(
            self.dependencies[name].status is DependencyStatus.OK
            for name in _REQUIRED
            if name in self.dependencies
        )


class HealthCheck:
    """Pings the dependencies, all at once and each for at most ``patience_s`` seconds.

    A report is kept for two seconds, so that probing often costs nothing.
    """

    def __init__(
        self, pings: dict[str, Ping], clock: Clock, *, patience_s: float = _PATIENCE_S
    ) -> None:
        self._pings = pings
        self._patience_s = patience_s
        self._clock = clock
        self._lock = anyio.Lock()
        self._report: Report | None = None

    async def report(self) -> Report:
        """Return how the dependencies are, as of at most two seconds ago."""
        async with self._lock:
            # A report from the future is from before the clock was set back.
            # A report from the future is from before the clock was set back.
            if self._report is None or abs(self._clock.now() - self._report.checked_at) >= _FRESH:
                self._report = await self._look()
            return self._report

    async def _look(self) -> Report:
        found: dict[str, Dependency] = {}
        async with anyio.create_task_group() as tasks:
            for name, ping in self._pings.items():
                tasks.start_soon(self._ping, name, ping, found)
        return Report(self._clock.now(), {name: found[name] for name in self._pings})

    async def _ping(self, name: str, ping: Ping, found: dict[str, Dependency]) -> None:
        begun = perf_counter()
        status = DependencyStatus.UNAVAILABLE
        try:
            with anyio.move_on_after(self._patience_s):
                await ping()
                status = DependencyStatus.OK
        except Exception as error:  # whatever a dependency raises, it is unavailable
            logger.warning(
                "dependency unavailable",
                extra={"dependency": name, "error": type(error).__name__},
            )
        found[name] = Dependency(status, round((perf_counter() - begun) * 1000, 1))


class Seldom:
    """A ping that is done at most once in ``every``; meanwhile its last answer counts, or that
    there is none yet. Blocks; threads may share it: while one waits for the answer, no
    other asks."""

    def __init__(self, ping: Callable[[], object], clock: Clock, every: timedelta) -> None:
        self._ping = ping
        self._clock = clock
        self._every = every
        self._lock = Lock()
        self._asked_at: datetime | None = None
        self._error: Exception | None = TimeoutError("no answer yet")

    def __call__(self) -> None:
        """Raises what the ping raised when it was done last, or TimeoutError before that."""
        if not self._is_due():
            if self._error is not None:
                raise self._error
            return
        try:
            self._ping()
        except Exception as error:
            self._error = error
            raise
        self._error = None

    def _is_due(self) -> bool:
        now = self._clock.now()
        with self._lock:
            # A clock that was set back makes it due, too.
            if self._asked_at and timedelta() <= now - self._asked_at < self._every:
                return False
            self._asked_at = now
            return True


def health_check(services: Services, watch: EndpointWatch) -> HealthCheck:
    """Return the check of a gateway's dependencies."""
    # Pings that hang keep their thread: a limiter of their own keeps them from taking all.
    limiter = CapacityLimiter(8)

    def in_thread(ping: Callable[[], object]) -> Ping:
        return partial(to_thread.run_sync, ping, abandon_on_cancel=True, limiter=limiter)

    return HealthCheck(
        {
            "database": in_thread(partial(_ping_database, services.engine)),
            "object_store": in_thread(services.store.ping),
            "kv": in_thread(services.kv.ping),
            "endpoint": watch.ping,
            # A mail server is logged in to for this: not at each probe.
            "mailer": in_thread(Seldom(services.mailer.ping, services.clock, _MAILER_EVERY)),
        },
        services.clock,
    )


def _ping_database(engine: Engine) -> None:
    with reading(engine) as session:
        session.execute(text("SELECT 1"))
