"""From a photo to an identity: who is in it, seen by ArcFace and CLIP, told by PuLID's encoder."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ...faces import ByteImage, Face, the_one
from ..embedding import Identity
from . import bisenet, eva_clip, retinaface
from .arcface import ArcFace
from .geometry import ffhq_crop
from .idformer import IdFormer
from .scrfd import Scrfd

STEPS: Final = 5
"""How often `extract` reports progress."""

_LONGEST_SIDE: Final = 1024
# Two boxes that share this much of their union are of one person.
_SAME_FACE: Final = 0.3
# Background, ears, ear-ring, neck, necklace, cloth and hat: not what makes a person.
_LEFT_OUT: Final = (0, 7, 8, 9, 14, 15, 16, 18)
_GREY: Final = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class FaceAnalysis:
    """The four networks that find and prepare a face."""

    detector: Scrfd
    recogniser: ArcFace
    landmarks: nn.Module
    parser: nn.Module


@dataclass(frozen=True)
class Encoder:
    """PuLID's encoder, and the hash of the file that it came from."""

    network: IdFormer
    pulid_sha256: str


@dataclass(frozen=True)
class Wishes:
    """How the identity is to be written down.

    Attributes:
        dtype: torch.bfloat16, which FLUX runs in, or torch.float32.
        unconditional: also encode nothing, for CFG > 1.
        now: the time that is noted.
    """

    dtype: torch.dtype
    unconditional: bool
    now: datetime


def extract(
    photo: ByteImage,
    analysis: FaceAnalysis,
    clip: nn.Module,
    encoder: Encoder,
    wishes: Wishes,
    progress: Callable[[int], None],
) -> Identity:
    """Make the identity of the one person in a photo.

    All networks run in float32 on the devices that they lie on.

    Args:
        photo: uint8 [H, W, 3], RGB.
        analysis: the networks that find a face.
        clip: from `eva_clip.read_eva_clip`.
        encoder: PuLID's encoder.
        wishes: how to write it down.
        progress: is told 1 to `STEPS` as work goes on.

    Returns:
        the identity.

    Raises:
        NoFaceError: there is none.
        SeveralFacesError: a second face has at least 15 % of the first one's area.
        FaceTooSmallError: the shorter side of its box is below 40 pixels, in the photo as it is
            looked at: with its longer side at most 1024.
        WeightsError: a network is not what its file's name says.
        EmbeddingInvalidError: the weights make no finite numbers of this photo.
    """
    small = fitted(photo)
    face = the_one(analysis.detector.find(small))
    progress(1)
    recognised = torch.from_numpy(analysis.recogniser.embed(small, face.landmarks))[None]
    progress(2)
    with torch.inference_mode():
        exact = _looked_at_again(small, face, analysis.landmarks)
        picture = prepared(ffhq_crop(small, exact.landmarks), analysis.parser)
        progress(3)
        features, hidden = eva_clip.look(clip, picture.to(_device(clip)))
        progress(4)
        where = _device(encoder.network)
        vector = torch.cat([recognised.to(where), features.to(where)], dim=-1)
        states = [state.to(where) for state in hidden]
        tokens = encoder.network(vector, states)
        nothing = (
            encoder.network(torch.zeros_like(vector), [torch.zeros_like(s) for s in states])
            if wishes.unconditional
            else None
        )
    progress(5)
    return Identity(
        tokens=_kept(tokens, wishes.dtype),
        unconditional=None if nothing is None else _kept(nothing, wishes.dtype),
        pulid_sha256=encoder.pulid_sha256,
        photo_sha256=photo_sha256(photo),
        extracted_at=wishes.now.astimezone(UTC).isoformat(timespec="seconds"),
    )


def photo_sha256(photo: ByteImage) -> str:
    """Hash of a photo's size and pixels, uint8 [H, W, 3]: the same for every file format."""
    height, width = photo.shape[:2]
    pixels = np.ascontiguousarray(photo).tobytes()
    return hashlib.sha256(f"{width}x{height}:".encode() + pixels).hexdigest()


def fitted(photo: ByteImage) -> ByteImage:
    """The photo uint8 [H, W, 3], made smaller so that its longer side is at most 1024."""
    height, width = photo.shape[:2]
    scale = _LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return photo
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(small, dtype=np.uint8)


def overlap(one: Face, other: Face) -> float:
    """Shared area of two boxes over their united area, 0..1."""
    a, b = np.asarray(one.box), np.asarray(other.box)
    shared = np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])
    inner = float(np.prod(np.maximum(shared, 0.0)))
    united = one.area + other.area - inner
    return inner / united if united > 0 else 0.0


def _looked_at_again(photo: ByteImage, face: Face, network: nn.Module) -> Face:
    """The same person's landmarks as PuLID was trained with, or the first ones.

    Never another person's: in a group the two detectors may each prefer somebody else.
    """
    found = retinaface.find(network, photo)
    best = max(found, key=lambda seen: overlap(seen, face), default=face)
    return best if overlap(best, face) >= _SAME_FACE else face


def prepared(head: ByteImage, parser: nn.Module) -> Tensor:
    """The face in grey on white, as PuLID shows it to CLIP.

    Args:
        head: uint8 [512, 512, 3], RGB.
        parser: from `bisenet.read_bisenet`.

    Returns:
        float32 [1, 3, 512, 512], 0..1, on the parser's device.
    """
    pixels = torch.from_numpy(head).to(_device(parser)).permute(2, 0, 1)[None]
    picture = pixels.float() / 255
    return whitened(picture, bisenet.parts(parser, picture))


def whitened(picture: Tensor, parts: Tensor) -> Tensor:
    """Face, hair and glasses in grey, everything else white.

    Args:
        picture: float32 [B, 3, H, W], RGB, 0..1.
        parts: int64 [B, H, W], classes of BiSeNet.

    Returns:
        float32 [B, 3, H, W], three times the same channel.
    """
    weights = picture.new_tensor(_GREY).view(1, 3, 1, 1)
    grey = (picture * weights).sum(dim=1, keepdim=True)
    away = torch.isin(parts, torch.tensor(_LEFT_OUT, device=parts.device))[:, None]
    return torch.where(away, 1.0, grey).expand(-1, 3, -1, -1)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


def _kept(tokens: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy in main memory that other code may use in any way."""
    return tokens.to("cpu", dtype).clone()
