"""A small wooden rowing boat, seen from the side and a little from above.

Drawn about the middle of its near gunwale; about 740 wide, the bow on the left.
"""

from __future__ import annotations

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, Point, blob, curve, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet
from books.atelier.sky import star_outline

NEAR: list[Point] = [(-380, -62), (-300, -22), (-160, 6), (0, 14), (160, 8), (290, -14), (352, -36)]
FAR: list[Point] = [
    (-380, -62),
    (-300, -62),
    (-160, -46),
    (0, -40),
    (160, -44),
    (290, -52),
    (352, -36),
]
HULL = blob(
    [*NEAR, (340, 40), (300, 92), (200, 118), (0, 126), (-180, 116), (-280, 78), (-350, 0)], {0, 6}
)
LINE = "#4a2c2c"


def boat_inside(sheet: Sheet, placement: Placement) -> None:
    """The far side and the inside, behind whoever sits in it."""
    brush = Brush(sheet, placement)
    inside = blob([*NEAR, *reversed(FAR[1:-1])], {0, 6})
    brush.wash(inside, "#7a5038", 1.0, reserve=1.0, edge=0.3)
    brush.wash(inside, "#3b2530", 0.9, edge=0, fade=Fade((0, -60), (0, 10), 0.2, 1))
    brush.wash(ribbon(FAR, [9, 12, 12, 9]), "#c48a56", 1.0, reserve=1.0)
    brush.pencil(ribbon(FAR, [9, 12, 12, 9]), LINE, 1.6, strength=0.5)


def boat_hull(sheet: Sheet, placement: Placement) -> None:
    """The near side, before whoever sits in it."""
    brush = Brush(sheet, placement)
    brush.wash(
        HULL, Blend((0, -20), (0, 120), "#c98d58", "#7d4d3a"), 1.0, reserve=1.0, edge=0.4, flow=0.3
    )
    brush.wash(HULL, "#5a3040", 0.8, edge=0, fade=Fade((-120, 40), (380, 70), 0.0, 1.0))
    for drop in (0.30, 0.58, 0.84):
        plank = [(x * (1 - drop * 0.06), y + drop * (112 - abs(x) * 0.02)) for x, y in NEAR]
        brush.stroke(plank, [1.4, 3.0, 3.0, 1.4], "#5a3430", strength=0.6)
        for x, y in curve(plank, 3)[2:-2:3]:
            brush.gouache(ellipse(x, y + 9, 1.8, 1.8), "#f0d2a4", 0.6)
    for offset in range(11):
        x = -300 + offset * 60 + (offset % 3) * 9
        y = 30 + (offset * 37) % 66
        brush.stroke(
            [(x, y), (x + 18, y + 2), (x + 40, y)], [0.6, 2.0, 0.6], "#6d4032", strength=0.35
        )
    rail = ribbon(NEAR, [12, 16, 17, 16, 12])
    brush.wash(rail, "#dca468", 1.0, reserve=1.0, edge=0.4)
    brush.wash(rail, "#8a5238", 0.6, edge=0, fade=Fade((-60, 0), (360, 0), 0, 1))
    brush.pencil(rail, LINE, 1.8, strength=0.6)
    brush.pencil(HULL, LINE, 2.2, strength=0.6)
    brush.gouache(star_outline((-262, 26), 21, 8), "#fbe3a4", 0.9)


def oar(brush: Brush, start: Point, end: Point, *, blade: bool) -> None:
    """A shaft from the hand towards the water, with its blade at the end if asked."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    shaft = ribbon([start, middle, end], [11, 11, 11])
    brush.wash(shaft, "#cf9a62", 1.0, reserve=1.0, edge=0.3)
    brush.wash(shaft, "#8a5238", 0.5, edge=0, fade=Fade(start, end, 0.2, 1))
    brush.pencil(shaft, LINE, 1.6, strength=0.6)
    if blade:
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = (dx * dx + dy * dy) ** 0.5
        ux, uy = dx / length, dy / length
        wide = ribbon(
            [end, (end[0] + ux * 40, end[1] + uy * 40), (end[0] + ux * 86, end[1] + uy * 86)],
            [12, 36, 38],
        )
        brush.wash(wide, "#d9a76c", 1.0, reserve=1.0, edge=0.4)
        brush.pencil(wide, LINE, 1.6, strength=0.6)
