"""What can go wrong with an object store.

StoreError
├── ObjectNotFound     no object under that key
├── ObjectTooLarge     the object is larger than the caller will take
├── InvalidKey         not a safe object key: a programming error or an attack
├── StoreFull          no space left; nothing was written
└── StoreUnavailable   the store can't be reached, or failed; trying again may help
    └── StoreRefused   it doesn't accept our credentials: trying again at once won't help
"""


class StoreError(Exception):
    """Any failure of an object store. Messages name keys, never contents or credentials."""


class ObjectNotFound(StoreError):
    """No object under that key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"no object under {key!r}")
        self.key = key


class ObjectTooLarge(StoreError):
    """The object has more bytes than the caller will take."""

    def __init__(self, key: str, max_bytes: int) -> None:
        super().__init__(f"the object under {key!r} has more than {max_bytes} bytes")


class InvalidKey(StoreError):
    """Not a safe object key."""


class StoreFull(StoreError):
    """No space left. The object under that key is as it was before."""


class StoreUnavailable(StoreError):
    """The store can't be reached, refuses us, or failed."""


class StoreRefused(StoreUnavailable):
    """The store doesn't accept our credentials, or they don't allow this."""
