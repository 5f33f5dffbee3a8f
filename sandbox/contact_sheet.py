"""The photo and its pages on one sheet, to look at."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

TILE = 640
GAP = 24
CAPTION = 56
PAPER = (250, 246, 238)
INK = (70, 62, 52)


def contact_sheet(photo: bytes, pages: Sequence[bytes], path: Path) -> None:
    """Write a PNG with the photo on the left and the pages beside it, captioned.

    Args:
        photo: any picture that Pillow reads; its orientation tag is honoured.
        pages: PNG files, in order.
        path: where the sheet goes; its folder exists.
    """
    tiles = [("the photo", _tile(photo))]
    tiles += [(f"page {n} (draft look)", _tile(png)) for n, png in enumerate(pages, start=1)]
    sheet = Image.new("RGB", (GAP + len(tiles) * (TILE + GAP), GAP + TILE + CAPTION), color=PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=26)
    for number, (caption, tile) in enumerate(tiles):
        left = GAP + number * (TILE + GAP)
        sheet.paste(tile, (left, GAP))
        draw.text((left + TILE / 2, GAP + TILE + CAPTION / 2), caption, INK, font=font, anchor="mm")
    sheet.save(path)


def _tile(picture: bytes) -> Image.Image:
    with Image.open(io.BytesIO(picture)) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    return ImageOps.fit(upright, (TILE, TILE), Image.Resampling.LANCZOS)
