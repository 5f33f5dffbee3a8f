"""Keys and values of the identities that were used last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from .attention import KeysValues

Computed = list[KeysValues]

CAPACITY: Final = 16
"""Entries kept; one takes about 5 MB for FLUX in bfloat16."""


class KeysValuesCache:
    """The least recently used entry makes room for a new one."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Hashable, Computed] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, compute: Callable[[], Computed]) -> Computed:
        """What is kept under a key; computed first if there is nothing."""
        if key not in self._entries:
            self._entries[key] = compute()
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        return self._entries[key]

    def clear(self) -> None:
        """Forget everything, and the device memory it holds."""
        self._entries.clear()
