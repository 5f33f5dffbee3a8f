"""An injector, and an identity as it is applied to one model."""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

import torch
from torch import nn

from ...tensors import array_of
from ..embedding import Identity
from ..errors import at_input
from .attention import KeysValues
from .cache import KeysValuesCache
from .errors import MaskError, SettingsError, UnconditionalMissing
from .weights import Attentions

PIXELS_PER_TOKEN = 16
"""A token of FLUX is a patch of 2x2 latents, a latent 8x8 pixels."""


class Conditioning(IntEnum):
    """ComfyUI's numbers in `cond_or_uncond`."""

    CONDITIONAL = 0
    UNCONDITIONAL = 1


class Reference:
    """Something that ComfyUI must not copy: its clones deep-copy all of their options."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@dataclass(frozen=True, eq=False)
class SamplingOf(Reference):
    """Leads to a model's noise schedule as it is when asked: `model.model_sampling`."""

    model: Any


@dataclass(frozen=True, eq=False)
class Injector(Reference):
    """PuLID's attentions, loaded; `patcher` is what ComfyUI moves between devices.

    Keys and values are kept here, so that they go when the injector goes.
    """

    attentions: Attentions
    pulid_sha256: str
    patcher: Any = None
    cache: KeysValuesCache = field(default_factory=KeysValuesCache)

    def keys_values(
        self, tokens: torch.Tensor, digest: str, device: torch.device, dtype: torch.dtype
    ) -> list[KeysValues]:
        """Keys and values of an identity for each attention; made once per device and type."""

        def compute() -> list[KeysValues]:
            there = tokens.to(device, dtype)
            return [
                self.attentions[number].keys_values(there) for number in range(len(self.attentions))
            ]

        return self.cache.get((digest, device, dtype), compute)


@dataclass(frozen=True, eq=False)
class Applied(Reference):
    """An identity with how strongly, when and where it acts.

    Attributes:
        injector: whose attentions it goes through.
        identity: the person.
        weight: 0..3, factor of what the attentions add.
        start: 0..1, share of the sampling at which it begins to act.
        end: 0..1, share at which it ends; not before `start`.
        mask: float [M, H, W], 0..1, in pixels of the picture, M one or the number of pictures;
            None for everywhere.

    Raises:
        EmbeddingMismatchError: the identity was made with another PuLID file.
        SettingsError: weight, start or end is out of range.
        MaskError: the mask is empty or no mask.
    """

    injector: Injector
    identity: Identity
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    mask: torch.Tensor | None = None
    _digests: dict[Conditioning, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        with at_input("identity"):
            self.identity.require(self.injector.pulid_sha256)
        check_settings(self.weight, self.start, self.end)
        if self.mask is not None:
            check_mask(self.mask)
        self._digests[Conditioning.CONDITIONAL] = _digest(self.identity.tokens)
        if self.identity.unconditional is not None:
            self._digests[Conditioning.UNCONDITIONAL] = _digest(self.identity.unconditional)

    def acts_at(self, sigma: float, sampling: Any) -> bool:
        """Whether it acts at a noise level of a model's `sampling`, as ComfyUI counts percent."""
        first = float(sampling.percent_to_sigma(self.start))
        last = float(sampling.percent_to_sigma(self.end))
        return self.weight > 0 and last <= sigma <= first

    def keys_values(self, conditioning: int, like: torch.Tensor) -> list[KeysValues]:
        """Keys and values for the positive or the negative half, on the device of a tensor.

        Raises:
            UnconditionalMissing: for the negative half, without an unconditional embedding.
        """
        tokens = self.identity.tokens
        kind = Conditioning.CONDITIONAL
        if conditioning == Conditioning.UNCONDITIONAL:
            if self.identity.unconditional is None:
                raise UnconditionalMissing(
                    "input identity: CFG above 1 needs an identity that was "
                    "extracted with its unconditional embedding"
                )
            kind, tokens = Conditioning.UNCONDITIONAL, self.identity.unconditional
        return self.injector.keys_values(tokens, self._digests[kind], like.device, like.dtype)

    def token_mask(self, latent: torch.Tensor, chunks: int) -> torch.Tensor | None:
        """The mask at the tokens of a latent [B, C, h, w], [1 or B, tokens, 1]; None without one.

        Raises:
            MaskError: it has another size than the picture, or another number than the pictures.
        """
        if self.mask is None:
            return None
        height, width = (8 * side for side in latent.shape[-2:])
        if tuple(self.mask.shape[-2:]) != (height, width):
            raise MaskError(
                f"input mask: it is {self.mask.shape[-1]}x{self.mask.shape[-2]} "
                f"pixels, the picture {width}x{height}"
            )
        pictures = latent.shape[0] // chunks
        if self.mask.shape[0] not in (1, pictures):
            raise MaskError(f"input mask: {self.mask.shape[0]} masks for {pictures} pictures")
        pooled = token_mask(self.mask).to(latent.device, latent.dtype)
        return pooled if len(pooled) == 1 else pooled.repeat(chunks, 1, 1)


def token_mask(mask: torch.Tensor) -> torch.Tensor:
    """Pool a mask [M, H, W] by area to FLUX's tokens, [M, tokens, 1]; a cut patch is its rest."""
    pooled = nn.functional.avg_pool2d(mask[:, None].float(), PIXELS_PER_TOKEN, ceil_mode=True)
    return pooled.flatten(1)[..., None]


def check_settings(weight: float, start: float, end: float) -> None:
    """Raise SettingsError unless weight lies in 0..3 and 0 <= start <= end <= 1."""
    if not 0.0 <= weight <= 3.0:
        raise SettingsError(f"input weight: it lies in 0..3, not {weight}")
    for name, value in (("start_at", start), ("end_at", end)):
        if not 0.0 <= value <= 1.0:
            raise SettingsError(f"input {name}: it lies in 0..1, not {value}")
    if start > end:
        raise SettingsError(f"input start_at: it lies after end_at ({start} > {end})")


def check_mask(mask: torch.Tensor) -> None:
    """Raise MaskError unless it is [M, H, W] in 0..1 and somewhere above zero."""
    if mask.ndim != 3 or mask.numel() == 0:
        raise MaskError(f"input mask: no mask has shape {list(mask.shape)}")
    values = array_of(mask)  # NumPy: PyTorch would wait for threads whose core encodes a page
    least, most = values.min(), values.max()
    if not (least >= 0 and most <= 1):  # nor NaN
        raise MaskError("input mask: its values lie in 0..1")
    if most == 0:
        raise MaskError("input mask: it is zero everywhere")


def _digest(tokens: torch.Tensor) -> str:
    """Names an embedding's values."""
    as_bytes = tokens.detach().cpu().contiguous().view(torch.uint8)
    return hashlib.sha256(as_bytes.numpy().data).hexdigest()
