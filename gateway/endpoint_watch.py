"""A watch on RunPod's endpoint: can jobs be rendered at all?

RunPod lowers an endpoint's most workers to 2 after three days without a request and to 0 after
seven, and leaves it so; it also takes workers away that crash again and again. Then jobs wait, and
nothing fails. A queue that merely waits for busy or starting workers is no trouble.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import anyio.from_thread

from gateway.metrics import Gauge
from gateway.ports import Clock, EndpointError, RenderEndpoint
from gateway.rounds import Round

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 30.0
_PATIENCE: Final = timedelta(seconds=90)
"""Workers may all be gone for a moment, while a new release takes the place of an old one."""

_CANT_RUN: Final = ("throttled", "unhealthy")
_STATES: Final = ("idle", "initializing", "ready", "running", *_CANT_RUN)
_STATE_NAME: Final = re.compile(r"[A-Za-z]{1,32}")


class Level(StrEnum):
    """How the endpoint is. ``NO_WORKERS``: none could take a job, and none waits. ``STALLED``:
    none can, and jobs wait."""

    WELL = "well"
    NO_WORKERS = "no_workers"
    STALLED = "stalled"


class WorkersMissing(Exception):
    """No worker of the endpoint can take a job."""


@dataclass(frozen=True)
class Reading:
    """What RunPod told: workers by their state, and jobs that wait and that are rendered."""

    workers: Mapping[str, int]
    queued: int
    in_progress: int

    @property
    def able(self) -> int:
        """How many workers could take a job, now or once they are started."""
        return sum(count for state, count in self.workers.items() if state not in _CANT_RUN)


@dataclass
class EndpointWatch:
    """Looks at the endpoint and remembers what it saw. Belongs to one event loop."""

    endpoint: RenderEndpoint
    clock: Clock
    level: Level = Level.WELL
    reading: Reading | None = None
    _unable_since: datetime | None = field(default=None, repr=False)

    async def look(self) -> None:
        """Ask RunPod, and say it in the log if the level changes.

        Raises:
            EndpointError: RunPod doesn't tell; then what was seen before stands.
        """
        try:
            reading = self.reading = read(await self.endpoint.health())
        except EndpointError:
            self.reading = None
            raise
        level = self._level(reading)
        if level is not self.level:
            self.level = level
            _tell(level, reading)

    async def ping(self) -> None:
        """For the gateway's health.

        Raises:
            EndpointError: RunPod doesn't tell. WorkersMissing: the level isn't ``WELL``.
        """
        await self.look()
        if self.level is not Level.WELL:
            raise WorkersMissing(self.level.value)

    def round(self) -> Round:
        """What is to be done again and again, in a thread of anyio's."""
        return Round("endpoint", LOOK_EVERY_S, lambda: anyio.from_thread.run(self._look_again))

    async def _look_again(self) -> int:
        try:
            await self.look()
        except EndpointError as error:
            logger.warning("endpoint not read", extra={"error": type(error).__name__})
        return 0

    def gauges(self) -> list[Gauge]:
        """What was seen, for a monitor. While RunPod doesn't tell, its counts are left out."""
        gauges = [
            Gauge(
                "foxetales_endpoint_read",
                "1 if RunPod told of its endpoint when it was last asked.",
                {(): float(self.reading is not None)},
            ),
            Gauge(
                "foxetales_endpoint_level",
                "1 for the level that the endpoint has, 0 for the others.",
                {(("level", each.value),): float(each is self.level) for each in Level},
            ),
        ]
        if self.reading is None:
            return gauges
        return [
            *gauges,
            Gauge(
                "foxetales_endpoint_workers",
                "Workers by state, as RunPod tells.",
                {(("state", state),): float(n) for state, n in self.reading.workers.items()},
            ),
            Gauge(
                "foxetales_endpoint_jobs",
                "Jobs that wait, and that are rendered, as RunPod tells.",
                {
                    (("state", "queued"),): float(self.reading.queued),
                    (("state", "in_progress"),): float(self.reading.in_progress),
                },
            ),
        ]

    def _level(self, reading: Reading) -> Level:
        now = self.clock.now()
        if reading.able:
            self._unable_since = None
            return Level.WELL
        # A moment that lies ahead is from before the clock was set back.
        if self._unable_since is None or self._unable_since > now:
            self._unable_since = now
        if self.level is Level.WELL and now - self._unable_since < _PATIENCE:
            return Level.WELL
        return Level.STALLED if reading.queued else Level.NO_WORKERS


def read(document: Mapping[str, Any]) -> Reading:
    """Return RunPod's health document as a reading. What is missing or no count is 0."""
    jobs = _counts(document.get("jobs"))
    workers = dict.fromkeys(_STATES, 0) | _counts(document.get("workers"))
    return Reading(workers, jobs.get("inQueue", 0), jobs.get("inProgress", 0))


def _counts(given: Any) -> dict[str, int]:
    if not isinstance(given, dict):
        return {}
    return {
        name: count
        for name, count in given.items()
        if _STATE_NAME.fullmatch(name) and type(count) is int and count >= 0
    }


def _tell(level: Level, reading: Reading) -> None:
    seen = {"queued": reading.queued, "workers": dict(reading.workers)}
    if level is Level.STALLED:
        logger.error("endpoint stalled", extra=seen)
    elif level is Level.NO_WORKERS:
        logger.warning("endpoint without workers", extra=seen)
    else:
        logger.info("endpoint has workers again", extra=seen)
