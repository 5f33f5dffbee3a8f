"""Field types and the base of every message."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

CONTRACT_VERSION: Final = 1

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,511}")


def validate_object_key(key: str) -> str:
    """Return ``key`` unchanged if it is a safe object key.

    A key is 1–512 characters of ``A-Z a-z 0-9 . _ - /``, starts with a letter or a digit, and
    has no empty, ``.`` or ``..`` segment, so that it can be used as a relative path too.

    Raises:
        ValueError: the key is not of that form.
    """
    if not _KEY.fullmatch(key) or any(part in ("", ".", "..") for part in key.split("/")):
        raise ValueError("not a safe object key")
    return key


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A job, preview, order, photo or book id: 1–64 characters, safe in a path and in a log."""

ObjectKey = Annotated[str, AfterValidator(validate_object_key)]
"""A key in the object store, relative to its bucket or folder."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""

PageNumber = Annotated[int, Field(ge=0, le=999)]
"""A page of a book; 0 is the cover."""


class SentMessage(BaseModel):
    """A message that the receiver checks strictly: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class WorkerMessage(BaseModel):
    """A message from the worker: unknown fields are ignored, so that a newer worker can talk."""

    model_config = ConfigDict(frozen=True, extra="ignore")
