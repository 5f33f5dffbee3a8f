"""How long to wait before trying again."""

import random
from collections.abc import Callable


class Backoff:
    """Seconds to wait before each attempt: none before the first, then ``first_s``, doubling up to
    ``cap_s``; each less a random part of up to a half, so that many who failed at one moment
    don't come back at one moment. ``chance`` gives numbers from 0 to 1."""

    def __init__(
        self,
        first_s: float = 1.0,
        cap_s: float = 30.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._chance = chance
        self._next_s = 0.0

    def next(self) -> float:
        """Return the seconds to wait before the attempt that is made now."""
        wait_s = self._next_s * (1 - self._chance() / 2)
        self._next_s = min(self._cap_s, max(self._first_s, 2 * self._next_s))
        return wait_s

    def reset(self) -> None:
        """Begin anew: an attempt was worth it."""
        self._next_s = 0.0
