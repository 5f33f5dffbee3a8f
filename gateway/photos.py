"""From an uploaded file to a photo that can be trusted: known type, known size, nothing but pixels.

The file is told by its first bytes, never by its name. What is kept is a new JPEG made from the
decoded pixels alone, so that no metadata, no hidden second file and no malformed structure of the
original survives.
"""

import io
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from pillow_heif.as_plugin import HeifImageFile

from gateway.errors import Problem

LONG_EDGE: Final = 2048
"""Longest edge of a kept photo, in pixels."""

_QUALITY = 95
_WHITE = (255, 255, 255)
_HEIF_STILL = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
_HEIF_SEQUENCE = frozenset({b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"})

# What Pillow's and libheif's decoders raise on malformed files, as their sources show.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    RuntimeError,
    OverflowError,
    struct.error,
    zlib.error,
)


class PhotoType(StrEnum):
    """The file types that are taken."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    HEIF = "HEIF"


@dataclass(frozen=True)
class RebuiltPhoto:
    """A photo made anew. ``jpeg`` is the file and ``sha256`` its digest; ``rgb`` holds the pixels
    before compression, uint8 [height, width, 3], sRGB, upright."""

    jpeg: bytes
    sha256: str
    rgb: NDArray[np.uint8]

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.rgb.shape[0])


def rebuild(data: bytes, *, max_pixels: int) -> RebuiltPhoto:
    """Decode an uploaded file and make a photo of it.

    Orientation is applied, any colour mode becomes 8-bit RGB in sRGB, transparency lies on white,
    and an edge longer than 2048 px is scaled down. Blocks for up to some seconds.

    Raises:
        Problem: ``photo_type``, ``photo_too_many_pixels`` (judged by the header, before anything
            is decoded), ``photo_animated`` or ``photo_broken``.
    """
    image = _decode(data, photo_type(data), max_pixels)
    rgb = np.asarray(_normalised(image), dtype=np.uint8)
    jpeg = _jpeg(rgb)
    return RebuiltPhoto(jpeg, sha256(jpeg).hexdigest(), rgb)


def photo_type(data: bytes) -> PhotoType:
    """Tell a file's type by its first bytes.

    Raises:
        Problem: ``photo_broken`` for no bytes at all, ``photo_animated`` for a HEIF sequence,
            ``photo_type`` for anything that isn't JPEG, PNG, WebP or HEIF.
    """
    if not data:
        raise Problem("photo_broken", "The file is empty.")
    if data.startswith(b"\xff\xd8\xff"):
        return PhotoType.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PhotoType.PNG
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return PhotoType.WEBP
    if data[4:8] == b"ftyp":
        if data[8:12] in _HEIF_STILL:
            return PhotoType.HEIF
        if data[8:12] in _HEIF_SEQUENCE:
            raise Problem("photo_animated", "Please choose a single picture.")
    raise Problem("photo_type", "Photos are taken as JPEG, PNG, WebP or HEIC.")


def _decode(data: bytes, kind: PhotoType, max_pixels: int) -> Image.Image:
    try:
        image = _open(data, kind)
        _check_size(image, max_pixels)
        # A JPEG with several pictures (stereo, gain map) is still one photo: its first.
        if kind in (PhotoType.PNG, PhotoType.WEBP) and getattr(image, "is_animated", False):
            raise Problem("photo_animated", "Please choose a single picture.")
        image.load()
        _check_size(image, max_pixels)  # a HEIF file may have announced another size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(max_pixels) from None
    except _DECODER_ERRORS:
        raise Problem("photo_broken", "The file is damaged or incomplete.") from None
    return image


def _open(data: bytes, kind: PhotoType) -> Image.Image:
    if kind is PhotoType.HEIF:
        heif: Image.Image = HeifImageFile(io.BytesIO(data))
        return heif
    return Image.open(io.BytesIO(data), formats=[kind.value])


def _check_size(image: Image.Image, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(max_pixels)


def _too_many_pixels(max_pixels: int) -> Problem:
    return Problem("photo_too_many_pixels", f"At most {max_pixels / 1e6:g} megapixels are taken.")


def _normalised(image: Image.Image) -> Image.Image:
    """The image upright, in 8 bits, opaque, at most LONG_EDGE long, in sRGB."""
    profile = image.info.get("icc_profile")
    # Broken metadata doesn't make a broken picture: it stays as it lies.
    with suppress(*_DECODER_ERRORS):
        image = ImageOps.exif_transpose(image)
    image = _opaque(_in_eight_bits(image))
    if max(image.size) > LONG_EDGE:
        image.thumbnail((LONG_EDGE, LONG_EDGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return _in_srgb(image, profile)


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion would clip it instead of scaling it."""
    if image.mode.startswith("I"):
        wide = np.asarray(image).astype(np.int64)
        return Image.fromarray((wide.clip(0, 65535) >> 8).astype(np.uint8))
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """The image as RGB, L or CMYK: palettes resolved, transparency laid on white."""
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (*_WHITE, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: object) -> Image.Image:
    if isinstance(profile, bytes):
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except (ImageCms.PyCMSError, *_DECODER_ERRORS):
            pass  # a profile that is broken or for another colour mode: as if there were none
        else:
            if converted is not None:
                return converted
    return image.convert("RGB")


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()
