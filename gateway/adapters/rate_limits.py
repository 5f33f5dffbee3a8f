"""Counting calls by the library ``limits``: in this process's memory, or in Redis for all.

Windows move: at no moment has a caller had more than the rate in the window that ends there.
Reads, by far the most frequent calls, are counted in this process in any case, and in fixed
windows: one number for each caller instead of a moment for each call.
"""

import logging
import math
import time
from collections.abc import Callable
from functools import lru_cache

import anyio.to_thread
from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, RateLimiter
from redis import Redis
from redis.exceptions import RedisError

from gateway.adapters.kv_redis import PREFIX
from gateway.rate_limits import Count, Rate, Rule

logger = logging.getLogger(__name__)

_PAUSE_S = 5.0


class MemoryRateLimiter:
    """Counts what comes to this process: several gateways allow several times as much."""

    def __init__(self) -> None:
        storage = MemoryStorage()
        self._moving = MovingWindowRateLimiter(storage)
        self._fixed = FixedWindowRateLimiter(storage)

    async def hit(self, rule: Rule, rate: Rate, caller: str) -> Count:
        """Count a call of ``caller`` under ``rule``."""
        return _hit(self._fixed if rule is Rule.READS else self._moving, rule, rate, caller)


class RedisRateLimiter:
    """Counts what comes to all gateways, in Redis or Valkey.

    While the server can't be reached each gateway counts by itself, and asks it again every five
    seconds. The caller opens and closes ``client``; ``monotonic`` counts seconds.
    """

    def __init__(self, client: Redis, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        storage = RedisStorage(
            "redis://", connection_pool=client.connection_pool, key_prefix=f"{PREFIX}rate"
        )
        self._moving = MovingWindowRateLimiter(storage)
        self._own = MemoryRateLimiter()
        self._monotonic = monotonic
        self._paused_until = monotonic()

    async def hit(self, rule: Rule, rate: Rate, caller: str) -> Count:
        """Count a call of ``caller`` under ``rule``."""
        if rule is not Rule.READS and self._monotonic() >= self._paused_until:
            try:
                return await anyio.to_thread.run_sync(_hit, self._moving, rule, rate, caller)
            except RedisError as error:
                self._paused_until = self._monotonic() + _PAUSE_S
                reason = type(error).__name__
                logger.warning("each gateway counts calls by itself", extra={"error": reason})
        return await self._own.hit(rule, rate, caller)


@lru_cache(maxsize=64)
def _item(rate: Rate) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(rate.amount, rate.window_s)


def _hit(limiter: RateLimiter, rule: Rule, rate: Rate, caller: str) -> Count:
    item = _item(rate)
    allowed = limiter.hit(item, rule.value, caller)
    if allowed and rule is Rule.READS:
        return Count(True, rate.amount, rate.window_s)  # nobody is told: not worth looking
    reset_at, remaining = limiter.get_window_stats(item, rule.value, caller)
    reset_s = min(max(1, math.ceil(reset_at - time.time())), rate.window_s)
    return Count(allowed, max(0, remaining), reset_s)
