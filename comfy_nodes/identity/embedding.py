"""A person's identity: what PuLID's encoder makes of a photo, and the file it travels in."""

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .errors import EmbeddingInvalidError, EmbeddingMismatchError, EmbeddingUnreadableError

SHAPE: Final = (1, 32, 2048)
EXTRACTOR_VERSION: Final = 1
"""Counts up whenever the same photo and the same weights would give another embedding."""

_FORMAT: Final = "foxetales.identity"
_DTYPES: Final = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, eq=False)
class Identity:
    """A person as 32 tokens, with the record of what they were made from.

    Attributes:
        tokens: float32 or bfloat16 [1, 32, 2048] in main memory.
        pulid_sha256: hash of the PuLID file that holds the encoder, 64 hexadecimal digits.
        photo_sha256: hash of the photo's pixels, 64 hexadecimal digits.
        extracted_at: ISO 8601, UTC.
        unconditional: what the encoder makes of nothing, as `tokens`; needed for CFG > 1 only.
        extractor_version: `EXTRACTOR_VERSION` of the code that made it.

    Raises:
        EmbeddingInvalidError: any of these is not so, or a value is NaN or infinite.
    """

    tokens: torch.Tensor
    pulid_sha256: str
    photo_sha256: str
    extracted_at: str
    unconditional: torch.Tensor | None = None
    extractor_version: int = EXTRACTOR_VERSION

    def __post_init__(self) -> None:
        _check_tensor("tokens", self.tokens)
        if self.unconditional is not None:
            _check_tensor("unconditional", self.unconditional)
            if self.unconditional.dtype != self.tokens.dtype:
                raise EmbeddingInvalidError("tokens and unconditional have different types")
        for name in ("pulid_sha256", "photo_sha256"):
            if not _SHA256.fullmatch(getattr(self, name)):
                raise EmbeddingInvalidError(f"{name} is no SHA-256 in hexadecimal digits")
        _check_time(self.extracted_at)

    @property
    def dtype(self) -> str:
        """Type of the values: "float32" or "bfloat16"."""
        return _DTYPES[self.tokens.dtype]

    def require(self, pulid_sha256: str) -> None:
        """Refuse to serve another PuLID file than the one this was made with.

        Raises:
            EmbeddingMismatchError: the hash differs.
        """
        if self.pulid_sha256 != pulid_sha256:
            raise EmbeddingMismatchError(
                f"the identity was made with PuLID file {self.pulid_sha256[:12]}, "
                f"not with {pulid_sha256[:12]}"
            )

    def save(self, path: Path) -> None:
        """Write a safetensors file in one step: nobody ever sees half of it.

        Raises:
            OSError: the folder can't be written to.
        """
        tensors = {"tokens": self.tokens}
        if self.unconditional is not None:
            tensors["unconditional"] = self.unconditional
        metadata = {
            "format": _FORMAT,
            "extractor_version": str(self.extractor_version),
            "pulid_sha256": self.pulid_sha256,
            "photo_sha256": self.photo_sha256,
            "dtype": self.dtype,
            "extracted_at": self.extracted_at,
        }
        unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            save_file({k: v.contiguous() for k, v in tensors.items()}, unfinished, metadata)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, expect_pulid_sha256: str | None = None) -> Self:
        """Read what `save` wrote.

        Args:
            path: the safetensors file.
            expect_pulid_sha256: the PuLID file it is to be used with; None for any.

        Raises:
            EmbeddingUnreadableError: the file is missing, cut short, or holds no identity.
            EmbeddingInvalidError: shapes, types or values are wrong.
            EmbeddingMismatchError: made with another PuLID file or another extractor version.
        """
        metadata, tensors = _read(path)
        if metadata.get("format") != _FORMAT or "tokens" not in tensors:
            raise EmbeddingUnreadableError(f"{path.name} holds no identity")
        version = metadata.get("extractor_version", "")
        if version != str(EXTRACTOR_VERSION):
            raise EmbeddingMismatchError(
                f"{path.name} was made by extractor version {version or 'unknown'}, "
                f"this is version {EXTRACTOR_VERSION}"
            )
        identity = cls(
            tokens=tensors["tokens"],
            unconditional=tensors.get("unconditional"),
            pulid_sha256=metadata.get("pulid_sha256", ""),
            photo_sha256=metadata.get("photo_sha256", ""),
            extracted_at=metadata.get("extracted_at", ""),
            extractor_version=int(version),
        )
        if metadata.get("dtype") != identity.dtype:
            raise EmbeddingInvalidError(f"{path.name} says another type than its values have")
        if expect_pulid_sha256 is not None:
            identity.require(expect_pulid_sha256)
        return identity


def _read(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """Metadata and tensors of a safetensors file."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - no dict
            return dict(file.metadata() or {}), tensors
    except FileNotFoundError as error:
        raise EmbeddingUnreadableError(f"there is no file {path.name}") from error
    except (SafetensorError, OSError) as error:
        raise EmbeddingUnreadableError(f"{path.name} is no whole safetensors file") from error


def _check_tensor(name: str, tensor: torch.Tensor) -> None:
    if tuple(tensor.shape) != SHAPE:
        raise EmbeddingInvalidError(f"{name} has shape {list(tensor.shape)}, not {list(SHAPE)}")
    if tensor.dtype not in _DTYPES:
        raise EmbeddingInvalidError(f"{name} is {tensor.dtype}, not float32 or bfloat16")
    if tensor.device.type != "cpu":
        raise EmbeddingInvalidError(f"{name} lies on {tensor.device}, not in main memory")
    if not bool(torch.isfinite(tensor).all()):
        raise EmbeddingInvalidError(f"{name} has values that are NaN or infinite")


def _check_time(text: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise EmbeddingInvalidError(f"extracted_at is no ISO 8601 time: {text!r}") from error
    if moment.utcoffset() != timedelta(0):
        raise EmbeddingInvalidError(f"extracted_at is not in UTC: {text!r}")
