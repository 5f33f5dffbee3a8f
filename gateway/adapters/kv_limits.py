"""The limits that every key-value adapter keeps, so that a value that fits one fits all."""

from typing import Final

LONGEST_KEY: Final = 512
"""In characters."""

LARGEST_VALUE: Final = 1024 * 1024
"""In bytes."""


def check_key(key: str) -> None:
    """Check a key.

    Raises:
        ValueError: it is empty or longer than 512 characters.
    """
    if not 1 <= len(key) <= LONGEST_KEY:
        raise ValueError(f"a key has 1 to {LONGEST_KEY} characters")


def check_value(value: bytes, ttl_s: int) -> None:
    """Check a value and its life.

    Raises:
        ValueError: the value has more than 1 MiB, or the life isn't at least a second.
    """
    if len(value) > LARGEST_VALUE:
        raise ValueError(f"a value has at most {LARGEST_VALUE} bytes")
    if ttl_s < 1:
        raise ValueError("a value lives for at least a second")
