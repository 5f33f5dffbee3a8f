"""The key-value mirror in Redis or Valkey, for several gateways."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from struct import Struct
from time import monotonic

from redis import BlockingConnectionPool, Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.adapters.kv_limits import check_key, check_value
from gateway.ports import Clock, KeyValueError

logger = logging.getLogger(__name__)

PREFIX = "foxetales:"
"""All keys of a gateway begin so: the server may be shared with others."""

_TIMEOUT_S = 1.0
_PAUSE_S = 5.0
_CONNECTIONS = 32
_EXPIRY = Struct(">q")


def open_redis(url: str) -> Redis:
    """Return a client of the server at ``redis://``, ``rediss://`` (TLS) or ``unix://``.

    It connects when it is first used. A call over a lost connection is tried once more over a
    new one; every call ends within seconds.

    Raises:
        ValueError: the URL can't be parsed.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=_TIMEOUT_S,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 1),
    )
    return Redis(connection_pool=pool)


class RedisKeyValue:
    """A key-value mirror in Redis or Valkey.

    A value carries the end of its life by the gateways' clock, which decides; the server's own
    expiry only clears away what nobody will see again. After a call that failed the server is
    left alone for five seconds, so that one that doesn't answer holds nobody up: calls fail at
    once, but for ``ping``. The caller opens and closes ``client``; ``time`` counts seconds.
    """

    def __init__(
        self, client: Redis, clock: Clock, *, time: Callable[[], float] = monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._time = time
        self._paused_until = time()

    def get(self, key: str) -> bytes | None:
        """Return the value under ``key``, or None if there is none or its life is over."""
        with self._asking():
            stored = self._client.get(PREFIX + key)
        if not isinstance(stored, bytes) or len(stored) < _EXPIRY.size:
            return None
        (expires_at_ms,) = _EXPIRY.unpack_from(stored)
        alive = expires_at_ms > _milliseconds(self._clock.now())
        return stored[_EXPIRY.size :] if alive else None

    def put(self, key: str, value: bytes, ttl_s: int) -> None:
        """Keep ``value`` under ``key`` for ``ttl_s`` seconds.

        Raises:
            ValueError: key, value or life is outside the port's limits.
        """
        check_key(key)
        check_value(value, ttl_s)
        expires_at = self._clock.now() + timedelta(seconds=ttl_s)
        stored = _EXPIRY.pack(_milliseconds(expires_at)) + value
        with self._asking():
            self._client.set(PREFIX + key, stored, ex=ttl_s)

    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens if it isn't there."""
        with self._asking():
            self._client.delete(PREFIX + key)

    def ping(self) -> None:
        """Ask the server whether it is there; if it is, it is used again at once."""
        with _translated():
            self._client.ping()
        self._paused_until = self._time()

    @contextmanager
    def _asking(self) -> Iterator[None]:
        if self._time() < self._paused_until:
            raise KeyValueError("Redis: failed a moment ago")
        try:
            with _translated():
                yield
        except KeyValueError as error:
            logger.warning("key-value mirror left alone for a while", extra={"error": str(error)})
            self._paused_until = self._time() + _PAUSE_S
            raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        # The server's own words may repeat a key: the type has to do.
        raise KeyValueError(f"Redis: {type(error).__name__}") from error


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
