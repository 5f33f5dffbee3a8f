"""Houses close by: crooked cottages with lit windows, and a plank over a brook."""

from __future__ import annotations

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet

LINE = "#3a2c44"


def house(
    sheet: Sheet,
    placement: Placement,
    *,
    wall: str = "#8f8fb4",
    roof: str = "#6b4a6e",
    seed: int = 1,
) -> None:
    """A cottage by night, 200 wide; its origin is the middle of its foot."""
    brush = Brush(sheet, placement)
    chimney = blob([(44, -196), (46, -262), (76, -262), (74, -170)], {0, 1, 2, 3})
    brush.wash(chimney, roof, 1.1, reserve=1.0)
    walls = blob([(-88, 4), (-92, -130), (92, -130), (88, 4)], {0, 1, 2, 3})
    brush.wash(walls, Blend((-90, -120), (90, 0), wall, "#55588c"), 1.0, reserve=1.0, edge=0.4)
    top = blob([(-122, -112), (-62, -232), (58, -238), (122, -112), (0, -124)], {0, 1, 2, 3})
    brush.wash(top, roof, 1.1, reserve=1.0, edge=0.5, flow=0.35)
    _tiles(brush, top, seed)
    brush.wash(top, "#2c2450", 0.6, edge=0, fade=Fade((-60, 0), (130, 0), 0, 1))
    for part in (chimney, walls, top):
        brush.pencil(part, LINE, 2.2, strength=0.5)
    for x in (-48, 52):
        _window(brush, x, -76)
    door = blob([(-16, 4), (-16, -56), (0, -70), (16, -56), (16, 4)], {0, 4})
    brush.wash(door, "#6a3f3c", 1.1, reserve=1.0, edge=0.5)
    brush.pencil(door, LINE, 2.0)
    for x in (-48, 52):
        centre = placement.point((x, -76))
        sheet.glow(centre, 54 * placement.scale, "#f2a93c", 0.42, 1.4)


def _tiles(brush: Brush, roof: skia.Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tiles = skia.Path()
    for row in range(7):
        y = -226 + row * 18
        for column in range(-8, 9):
            x = column * 17 + (row % 2) * 8 + float(rng.normal(0, 1.5))
            tiles.addPath(ribbon([(x - 8, y), (x, y + 7), (x + 8, y)], [1.4, 2.6, 1.4], 4))
    brush.wash(tiles, "#2c2044", 0.6, edge=0, clip=roof)


def _window(brush: Brush, x: float, y: float) -> None:
    pane = blob(
        [(x - 22, y + 26), (x - 22, y - 22), (x + 22, y - 22), (x + 22, y + 26)], {0, 1, 2, 3}
    )
    brush.wash(pane, Blend((x, y), (x + 34, y + 30), "#ffedaa", "#f0a63e", True), reserve=1.0)
    brush.stroke([(x, y - 22), (x, y + 26)], [4, 4], "#5a3a40")
    brush.stroke([(x - 22, y + 2), (x + 22, y + 2)], [4, 4], "#5a3a40")
    brush.pencil(pane, "#5a3a40", 4, strength=0.8)


def plank_bridge(sheet: Sheet, left: float, right: float, y: float) -> None:
    """One broad plank on posts, seen from the side and a little from above."""
    for x in (left + 60, (left + right) / 2, right - 60):
        post = ribbon([(x, y + 20), (x + 3, y + 90)], [22, 20])
        sheet.wash(post, "#5c4038", 1.1, reserve=1.0)
        sheet.pencil(post, LINE, 1.8)
    top = blob(
        [(left, y - 16), (right, y - 22), (right + 8, y + 12), (left - 8, y + 20)], {0, 1, 2, 3}
    )
    sheet.wash(top, Blend((left, y), (right, y), "#b98a62", "#8a6450"), 1.0, reserve=1.0, edge=0.4)
    side = blob(
        [(left - 8, y + 20), (right + 8, y + 12), (right + 8, y + 34), (left - 8, y + 44)],
        {0, 1, 2, 3},
    )
    sheet.wash(side, "#6f4a40", 1.0, reserve=1.0, edge=0.4)
    for share in np.linspace(0.06, 0.94, 12):
        x = left + (right - left) * float(share)
        sheet.stroke([(x, y - 16), (x + 3, y + 14)], [1.4, 2.0], "#4a3038", strength=0.6)
    sheet.pencil(top, LINE, 2.0)
    sheet.pencil(side, LINE, 2.0)


def stones(sheet: Sheet, places: list[tuple[float, float, float]], colour: str = "#7d86a4") -> None:
    """Round stones, each (x, y, half width)."""
    for x, y, wide in places:
        sheet.wash(ellipse(x + 4, y + wide * 0.4, wide * 1.1, wide * 0.3), "#1f3250", 0.7, soft=4)
        stone = blob(
            [
                (x - wide, y + wide * 0.3),
                (x - wide * 0.6, y - wide * 0.4),
                (x + wide * 0.3, y - wide * 0.5),
                (x + wide, y + wide * 0.1),
                (x + wide * 0.7, y + wide * 0.45),
            ]
        )
        blend = Blend((x, y - wide * 0.5), (x, y + wide * 0.5), "#c3cbdd", colour)
        sheet.wash(stone, blend, 1.0, reserve=1.0, edge=0.6, flow=0.4)
        sheet.pencil(stone, "#3a4364", 1.8, strength=0.5)
