"""Request rates and payload sizes as RunPod documents them."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.control_plane.clock import Clock
from sandbox.control_plane.errors import TooManyRequests

MEBIBYTE = 1024 * 1024
# Bytes of a request's body, and as much for the result of a job that came the same way.
RUN_PAYLOAD = 10 * MEBIBYTE
RUNSYNC_PAYLOAD = 20 * MEBIBYTE

WINDOW_S = 10.0


@dataclass(frozen=True)
class Rate:
    """So many requests in ten seconds, so many at once (None: any number)."""

    requests: int
    concurrent: int | None = None


# docs.runpod.io/serverless/endpoints/operation-reference; retry and health are not listed there.
RATES: Mapping[str, Rate] = {
    "run": Rate(1000, 200),
    "runsync": Rate(2000, 400),
    "status": Rate(2000, 400),
    "stream": Rate(2000, 400),
    "cancel": Rate(100, 20),
    "purge-queue": Rate(2),
}


class RateLimiter:
    """A sliding window and a count of requests in flight for each operation."""

    def __init__(self, clock: Clock, rates: Mapping[str, Rate] = RATES) -> None:
        self._clock = clock
        self._rates = rates
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._in_flight: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def admit(self, operation: str) -> Iterator[None]:
        """Count one request of `operation` for as long as the block runs.

        Raises TooManyRequests. An operation without a rate is always admitted.
        """
        rate = self._rates.get(operation)
        if rate is not None:
            self._check(operation, rate)
        self._in_flight[operation] += 1
        try:
            yield
        finally:
            self._in_flight[operation] -= 1

    def _check(self, operation: str, rate: Rate) -> None:
        now = self._clock.now()
        recent = self._recent[operation]
        while recent and recent[0] <= now - WINDOW_S:
            recent.popleft()
        if len(recent) >= rate.requests:
            raise TooManyRequests(f"more than {rate.requests} {operation} requests in 10 s")
        if rate.concurrent is not None and self._in_flight[operation] >= rate.concurrent:
            raise TooManyRequests(f"more than {rate.concurrent} {operation} requests at once")
        recent.append(now)
