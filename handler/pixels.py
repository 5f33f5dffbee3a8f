"""Pixels as they travel between the worker and ComfyUI: NumPy's ``.npy``, uint8 [H, W, 3 or 4].

The worker decodes inputs and encodes results while ComfyUI samples; in ComfyUI's LoadImage and
SaveImage the GPU waits for that.
"""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image

from handler.errors import OutputMissing
from handler.images import whole_image

SUFFIX: Final = ".npy"

ByteImage = npt.NDArray[np.uint8]

_TO_OPENCV = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
_ENCODING: Final = (
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
    *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_PAETH),
)
"""As small as SaveImage's own level 4 and three times as fast."""

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientations."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_AFTER_HEADER: Final = len(_SIGNATURE) + 12 + 13  # IHDR, always first, has 13 bytes of data
_NOTE_KEYWORD: Final = b"foxetales"


def decoded(data: bytes, label: str) -> bytes:
    """Return the ``.npy`` of a PNG, JPEG or WebP: upright, in the colours that Pillow reads.

    There are 4 channels if it has alpha of its own, else 3: a colour key isn't one, except in a
    palette. Of several frames it is the first.
    ``label`` names the input in the error.

    Raises:
        InputCorrupt: see :func:`handler.images.whole_image`.
    """
    with whole_image(data, label) as image:
        picture = _as_comfyui_sees(_upright(image))
    buffer = BytesIO()
    np.save(buffer, picture, allow_pickle=False)
    return buffer.getvalue()


def encoded(npy: bytes, note: str = "") -> tuple[bytes, int, int]:
    """Return the PNG of a ``.npy``, its width and its height in pixels.

    ``note``, Latin-1, goes into the file for :func:`note_of`.

    Raises:
        OutputMissing: it is no whole ``.npy`` of a picture.
    """
    picture = _picture(npy)
    height, width, channels = picture.shape
    ok, buffer = cv2.imencode(".png", cv2.cvtColor(picture, _TO_OPENCV[channels]), _ENCODING)
    if not ok:
        raise OutputMissing("the page could not be encoded as PNG")
    png = buffer.tobytes()
    if note:
        text = _chunk(b"tEXt", _NOTE_KEYWORD + b"\0" + note.encode("latin-1"))
        png = png[:_AFTER_HEADER] + text + png[_AFTER_HEADER:]
    return png, width, height


def note_of(png: bytes) -> str | None:
    """Return the note in a PNG; None if it has none, or isn't whole by its checksums."""
    try:
        chunks = list(_chunks(png))
    except ValueError:
        return None
    for kind, data in chunks:
        if kind == b"tEXt" and bytes(data).startswith(_NOTE_KEYWORD + b"\0"):
            return bytes(data)[len(_NOTE_KEYWORD) + 1 :].decode("latin-1")
    return None


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF says. Pillow's own way writes the EXIF anew, and fails on odd
    ones."""
    turn = _UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _as_comfyui_sees(image: Image.Image) -> ByteImage:
    """Colours, and the alpha that a mask is made of, as LoadImage had them while it read by Pillow:
    newer ones round by FFmpeg, which would change the pages of released workflows."""
    if image.mode == "I":
        image = image.point(lambda value: value * (1 / 255))
    has_alpha = "A" in image.getbands() or (image.mode == "P" and "transparency" in image.info)
    return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))


def _picture(npy: bytes) -> ByteImage:
    try:
        picture: npt.NDArray[Any] = np.lib.format.read_array(BytesIO(npy), allow_pickle=False)
    except ValueError as error:
        raise OutputMissing("what ComfyUI wrote is not a whole .npy") from error
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in _TO_OPENCV:
        raise OutputMissing("what ComfyUI wrote is no picture")
    if not picture.size:
        raise OutputMissing("what ComfyUI wrote is an empty picture")
    return picture


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data).to_bytes(4, "big")
    return len(data).to_bytes(4, "big") + kind + data + checksum


def _chunks(png: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and data of each chunk.

    Raises:
        ValueError: one is damaged, the end is missing, or something follows it.
    """
    if not png.startswith(_SIGNATURE):
        raise ValueError("not a PNG")
    view, start, kind = memoryview(png), len(_SIGNATURE), b""
    while start < len(png):
        end = start + 12 + int.from_bytes(view[start : start + 4], "big")
        body, checksum = view[start + 4 : end - 4], view[end - 4 : end]
        if end > len(png) or zlib.crc32(body) != int.from_bytes(checksum, "big"):
            raise ValueError("a chunk is damaged")
        kind, start = bytes(body[:4]), end
        yield kind, body[4:]
    if kind != b"IEND":
        raise ValueError("the end is missing")
