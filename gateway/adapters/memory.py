"""Parts that keep everything in memory: for one process, and for tests."""

from datetime import datetime, timedelta
from threading import Lock

from gateway.adapters.kv_limits import check_key, check_value
from gateway.ports import Clock

_SWEEP_ABOVE = 1024


class MemoryKeyValue:
    """A key-value mirror in this process's memory."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._values: dict[str, tuple[bytes, datetime]] = {}

    def get(self, key: str) -> bytes | None:
        """Return the value under ``key``, or None if there is none or its life is over."""
        with self._lock:
            value, expires_at = self._values.get(key, (None, None))
        return value if expires_at is not None and expires_at > self._clock.now() else None

    def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keep ``value`` under ``key`` for ``ttl_s`` seconds.

        Raises:
            ValueError: key, value or life is outside the port's limits.
        """
        check_key(key)
        check_value(value, ttl_s)
        now = self._clock.now()
        with self._lock:
            self._values[key] = (value, now + timedelta(seconds=ttl_s))
            if len(self._values) > _SWEEP_ABOVE:
                self._values = {k: v for k, v in self._values.items() if v[1] > now}

    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens if it isn't there."""
        with self._lock:
            self._values.pop(key, None)

    def ping(self) -> None:
        """Memory is always there."""
