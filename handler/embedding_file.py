"""The record in an identity embedding's file, read without its tensors.

The file is a safetensors file: eight bytes hold the length N of the header (little-endian), N
bytes hold the header as JSON, and the rest holds the tensors that the header describes. The
nodes that save it put a record of its making into the header's ``__metadata__``.
"""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from contract.types import Sha256
from handler.errors import EmbeddingUnusable

SUFFIX: Final = ".safetensors"
MAX_EMBEDDING_BYTES: Final = 2 * 1024 * 1024
"""Four times the largest: two float32 tensors of 32 × 2048."""

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 64 * 1024


class EmbeddingRecord(BaseModel):
    """What an embedding was made from and when. ``extractor_version`` and ``pulid_sha256`` are
    for the nodes to judge; ``photo_sha256`` is of the photo's pixels, not of its file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal["foxetales.identity"]
    extractor_version: str
    pulid_sha256: Sha256
    photo_sha256: Sha256
    dtype: str
    extracted_at: AwareDatetime


class _Tensor(BaseModel):
    data_offsets: tuple[NonNegativeInt, NonNegativeInt]


class _Header(BaseModel):
    metadata: Annotated[EmbeddingRecord, Field(alias="__metadata__")]
    tokens: _Tensor
    unconditional: _Tensor | None = None

    @property
    def tensor_bytes(self) -> int:
        """Bytes that follow the header."""
        tensors = (self.tokens, self.unconditional)
        return max(tensor.data_offsets[1] for tensor in tensors if tensor is not None)


def read_record(data: bytes) -> EmbeddingRecord:
    """Return the record in an embedding's file.

    Raises:
        EmbeddingUnusable: it is no safetensors file, not whole, or holds no identity.
    """
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    if not _LENGTH_BYTES < end <= min(len(data), _LENGTH_BYTES + _MAX_HEADER_BYTES):
        raise EmbeddingUnusable("the identity file has no safetensors header")
    header = _parsed(data[_LENGTH_BYTES:end])
    if len(data) - end != header.tensor_bytes:
        raise EmbeddingUnusable("the identity file is not whole")
    return header.metadata


def _parsed(text: bytes) -> _Header:
    try:
        raw: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise EmbeddingUnusable("the identity file's header is not JSON") from None
    try:
        return _Header.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "header"
        raise EmbeddingUnusable(f"the identity file holds no identity: {where}") from None
