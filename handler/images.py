"""Checks of image files, by decoding them whole: ComfyUI renders truncated ones as grey."""

from io import BytesIO

from PIL import Image

from handler.errors import InputCorrupt, OutputMissing

MAX_INPUT_PIXELS = 50_000_000
_SUFFIXES = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}
_DECODE_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,  # Pillow's for a broken PNG
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,  # where warnings are errors
)


def input_suffix(data: bytes, label: str) -> str:
    """Return the file name ending that fits the PNG, JPEG or WebP in ``data``.

    ``label`` names the input in the error.

    Raises:
        InputCorrupt: it is none of these, has more than 50 million pixels, or isn't whole.
    """
    try:
        with Image.open(BytesIO(data), formats=tuple(_SUFFIXES)) as image:
            if image.width * image.height > MAX_INPUT_PIXELS:
                raise InputCorrupt(f"{label} has more than {MAX_INPUT_PIXELS} pixels")
            suffix = _SUFFIXES[image.format or ""]
            image.load()
        with Image.open(BytesIO(data)) as image:
            image.verify()  # a PNG's checksums and end, which loading lets pass
        return suffix
    except _DECODE_ERRORS as error:
        raise InputCorrupt(f"{label} is not a whole PNG, JPEG or WebP image") from error


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
