"""Waiting for what another process does."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T | None], within_s: float = 30.0) -> T:
    """The first true value of `look()`; AssertionError when there is none in time."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"nothing within {within_s:g} s"
        time.sleep(0.05)
