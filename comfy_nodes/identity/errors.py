"""What the identity nodes can refuse. Every message starts with a stable code and a colon.

IdentityError
├── WeightsError             weights_unusable
├── EmbeddingUnreadableError embedding_unreadable
├── EmbeddingInvalidError    embedding_invalid
└── EmbeddingMismatchError   embedding_mismatch

What is wrong with a face in a photo has the classes and codes of `faces`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar


class IdentityError(ValueError):
    """An identity can't be made or used; `code` is stable, the rest of the message is not."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.code}: {detail}")
        self.detail = detail


class WeightsError(IdentityError):
    """A weight file is missing, damaged, or of another network."""

    code = "weights_unusable"


class EmbeddingUnreadableError(IdentityError):
    """A file is missing, cut short, or holds no identity."""

    code = "embedding_unreadable"


class EmbeddingInvalidError(IdentityError):
    """An embedding has a wrong shape or type, or values that are not finite."""

    code = "embedding_invalid"


class EmbeddingMismatchError(IdentityError):
    """An embedding was made by another PuLID file or another version of the extractor."""

    code = "embedding_mismatch"


@contextmanager
def at_input(name: str) -> Iterator[None]:
    """Say at which of the node's inputs it went wrong."""
    try:
        yield
    except IdentityError as error:
        raise type(error)(f"input {name}: {error.detail}") from error
