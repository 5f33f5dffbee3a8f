"""The picture that a parent sees: before paying the page with a faint mark across it, afterwards
the page itself. Pure."""

import io
import math
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

TEXT = "Foxetales preview"
SIZE_PX = 1024
QUALITY = 88

_OPACITY = 0.20
_SHADE_OPACITY = 0.12
_ANGLE_DEG = 30.0
_FONT_SHARE = 1 / 26
_ROW_HEIGHTS = 4.2
_GAP_EMS = 2.5
_MAX_PIXELS = 8192 * 8192


class UnreadablePage(ValueError):
    """The bytes are no PNG, or one that is broken or absurdly large."""


def watermarked(png: bytes) -> bytes:
    """Return ``png`` as an RGB JPEG of at most 1024 px with the mark tiled across it.

    The mark is white with a dark rim, so that it shows on light and on dark art alike. The JPEG
    carries no metadata.

    Raises:
        UnreadablePage: the bytes can't be decoded.
    """
    picture = _small(png)
    rim, fill = _marks(picture.size)
    picture.paste((24, 20, 40), mask=rim)
    picture.paste((255, 255, 255), mask=fill)
    return _jpeg(picture)


def unmarked(png: bytes) -> bytes:
    """Return ``png`` as an RGB JPEG of at most 1024 px, without a mark and without metadata.

    Raises:
        UnreadablePage: the bytes can't be decoded.
    """
    return _jpeg(_small(png))


def _small(png: bytes) -> Image.Image:
    picture = decode_png(png).convert("RGB")
    picture.thumbnail((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS)
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def decode_png(data: bytes) -> Image.Image:
    """Return the decoded picture.

    Raises:
        UnreadablePage: the bytes are no whole PNG, or one of more than 67 million pixels.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        if image.width * image.height > _MAX_PIXELS:
            raise UnreadablePage("the page has too many pixels")
        image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePage(f"the page can't be read: {type(error).__name__}") from error
    return image


@lru_cache(maxsize=4)
def _marks(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Two L masks of ``size``: the dark rim and the white letters, at their opacities."""
    text_px = max(8, round(max(size) * _FONT_SHARE))
    font = ImageFont.load_default(size=text_px)
    side = math.ceil(math.hypot(*size)) + 2 * text_px
    rim, fill = Image.new("L", (side, side)), Image.new("L", (side, side))
    step_x = round(font.getlength(TEXT) + _GAP_EMS * text_px)
    step_y = round(text_px * _ROW_HEIGHTS)
    draw_rim, draw_fill = ImageDraw.Draw(rim), ImageDraw.Draw(fill)
    for row, y in enumerate(range(0, side, step_y)):
        # Every other row is shifted by half a step, so that no straight gap runs through.
        for x in range(-(row % 2) * step_x // 2, side, step_x):
            draw_rim.text((x, y), TEXT, fill=round(255 * _SHADE_OPACITY), font=font, stroke_width=2)
            draw_fill.text((x, y), TEXT, fill=round(255 * _OPACITY), font=font)
    return _turned(rim, size), _turned(fill, size)


def _turned(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    turned = mask.rotate(_ANGLE_DEG, resample=Image.Resampling.BICUBIC)
    left, top = (turned.width - size[0]) // 2, (turned.height - size[1]) // 2
    return turned.crop((left, top, left + size[0], top + size[1]))
