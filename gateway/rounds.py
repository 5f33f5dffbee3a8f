"""What the gateway does by itself for orders, again and again, beside the dispatcher.

Every round is safe to be done by several gateways at once, and to be cut short.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread
from anyio import CapacityLimiter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Round:
    """Work that comes back every ``every_s`` seconds. ``work`` blocks and returns how much it did:
    after a round that did something the next one follows at once."""

    name: str
    every_s: float
    work: Callable[[], int]


@dataclass
class Rounds:
    """Does rounds until it is cancelled; each in a thread of its own, so that one that waits for
    a mail server keeps no other from working."""

    rounds: Sequence[Round]
    _wakeups: dict[str, anyio.Event] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled. What is at work then is finished."""
        limiter = CapacityLimiter(max(1, len(self.rounds)))
        async with anyio.create_task_group() as group:
            for item in self.rounds:
                group.start_soon(self._repeat, item, limiter)

    def wake(self, name: str) -> None:
        """Let a round begin at once. Call it on the event loop that runs ``run``."""
        event = self._wakeups.get(name)
        if event is not None:
            event.set()

    async def _repeat(self, item: Round, limiter: CapacityLimiter) -> None:
        while True:
            event = self._wakeups[item.name] = anyio.Event()
            done = await _surviving(item, limiter)
            if not done:
                with anyio.move_on_after(item.every_s):
                    await event.wait()


async def _surviving(item: Round, limiter: CapacityLimiter) -> int:
    """One round, which must not end the loop: what is away comes back."""
    try:
        return await anyio.to_thread.run_sync(item.work, limiter=limiter)
    except Exception:
        logger.exception("a round failed", extra={"round": item.name})
        return 0
