"""Checks of image files, by decoding them whole: ComfyUI renders truncated ones as grey."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image

from handler.errors import InputCorrupt, OutputMissing

MAX_INPUT_PIXELS = 50_000_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_SUFFIXES = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "MPO": ".jpg",  # a JPEG with more pictures behind the first, as phones take them
    "WEBP": ".webp",
}
_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,  # Pillow's for a broken PNG or EXIF
    struct.error,  # Pillow's for other broken EXIF
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
)


@contextmanager
def whole_image(data: bytes, label: str) -> Iterator[Image.Image]:
    """Open and decode the PNG, JPEG or WebP in ``data``; ``label`` names it in the error.

    Raises:
        InputCorrupt: it is none of these, has more than 50 million pixels, isn't whole, or what is
            done with it shows that it is damaged.
    """
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_INPUT_PIXELS:
                raise InputCorrupt(f"{label} has more than {MAX_INPUT_PIXELS} pixels")
            image.load()
            with Image.open(BytesIO(data), formats=_FORMATS) as again:
                again.verify()  # a PNG's checksums and end, which loading lets pass
            yield image
    except _DECODE_ERRORS as error:
        raise InputCorrupt(f"{label} is not a whole PNG, JPEG or WebP image") from error


def input_suffix(data: bytes, label: str) -> str:
    """Return the file name ending that fits the image in ``data``.

    Raises:
        InputCorrupt: see :func:`whole_image`.
    """
    with whole_image(data, label) as image:
        return _SUFFIXES[image.format or ""]


def png_size(data: bytes) -> tuple[int, int]:
    """Return width and height in pixels of the PNG in ``data``, after checking its checksums.

    Raises:
        OutputMissing: it is not a whole PNG.
    """
    try:
        with Image.open(BytesIO(data), formats=("PNG",)) as image:
            size = image.size
            image.verify()
    except _DECODE_ERRORS as error:
        raise OutputMissing("what ComfyUI saved is not a whole PNG") from error
    return size
