"""A patchwork hot-air balloon: the belly of its envelope, ropes and a wicker basket.

The basket is drawn about the middle of its rim, 520 wide; the envelope about its mouth.
"""

from __future__ import annotations

import math
from itertools import pairwise

import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet

QUILT = ("#d9776a", "#efc06a", "#7fa8a4", "#f3e3c6", "#b98aa8", "#8fb0cf", "#e59a6a")
LINE = "#5c3a44"
_HALF = 9


def _gore_edge(index: float, down: float) -> Point:
    """A point on the envelope: index -9..9 across, down 0 (top) .. 1 (mouth)."""
    turn = index / _HALF * math.pi / 2
    belly = 86 + 620 * math.cos(down * math.pi / 2) ** 0.9
    sag = 60 * (1 - down) * math.cos(turn)
    return (
        math.sin(turn) * belly,
        -330 * (1 - down) ** 0.72 + sag * 0.4 - 6 * math.cos(turn) * down,
    )


def envelope(sheet: Sheet, placement: Placement) -> None:
    """The belly seen from below, gore by gore, quilted in patches."""
    brush = Brush(sheet, placement)
    rows = (0.0, 0.22, 0.42, 0.60, 0.76, 0.9, 1.0)
    for number, index in enumerate(range(-_HALF, _HALF, 2)):
        for row, (upper, lower) in enumerate(pairwise(rows)):
            middle = (upper + lower) / 2
            patch = blob(
                [
                    _gore_edge(index, upper),
                    _gore_edge(index + 1, upper),
                    _gore_edge(index + 2, upper),
                    _gore_edge(index + 2, middle),
                    _gore_edge(index + 2, lower),
                    _gore_edge(index + 1, lower),
                    _gore_edge(index, lower),
                    _gore_edge(index, middle),
                ],
                {0, 2, 4, 6},
            )
            colour = QUILT[(number * 3 + row * 2) % len(QUILT)]
            brush.wash(patch, colour, 0.95, reserve=1.0, edge=0.5, flow=0.35)
            _pattern(brush, patch, index + 1, middle, (number + row) % 4)
            brush.pencil(patch, "#8a5a54", 1.5, strength=0.5)
    _shade(brush)


def far_balloon(sheet: Sheet, placement: Placement) -> None:
    """The whole balloon from a distance, 300 wide, about the middle of its envelope."""
    brush = Brush(sheet, placement)
    for index in range(-3, 3):
        left, right = (math.sin(i / 3 * math.pi / 2) for i in (index, index + 1))
        gore = blob(
            [
                (left * 26, -168),
                (left * 120, -110),
                (left * 150, -20),
                (left * 112, 84),
                (left * 40, 168),
                (right * 40, 168),
                (right * 112, 84),
                (right * 150, -20),
                (right * 120, -110),
                (right * 26, -168),
            ],
            {0, 4, 5, 9},
        )
        for row, (upper, lower) in enumerate(((-180, -66), (-66, 44), (44, 180))):
            band = skia.Path()
            band.addRect(skia.Rect.MakeLTRB(-160, upper, 160, lower))
            piece = skia.Op(gore, band, skia.kIntersect_PathOp)
            colour = QUILT[(index * 3 + row * 2) % len(QUILT)]
            brush.wash(piece, colour, 1.0, reserve=1.0, edge=0.5, flow=0.3)
        brush.pencil(gore, "#8a5a54", 2.4, strength=0.5)
    whole = ellipse(0, -20, 152, 170)
    brush.wash(whole, "#4a3a78", 0.5, edge=0, fade=Fade((-60, -60), (150, 60), 0.0, 1.0))
    for side in (-1, 1):
        brush.stroke([(side * 38, 168), (side * 34, 226)], [4, 4], LINE)
    basket = blob([(-42, 222), (42, 222), (34, 280), (-34, 280)], {0, 1, 2, 3})
    brush.wash(basket, "#b9824c", 1.0, reserve=1.0, edge=0.6)
    brush.wash(ribbon([(-46, 222), (0, 226), (46, 222)], [12, 12]), "#b5594c", reserve=1.0)
    brush.pencil(basket, LINE, 2.4)


def _pattern(brush: Brush, patch: skia.Path, index: int, down: float, kind: int) -> None:
    x, y = _gore_edge(index, down)
    if kind == 0:
        dots = skia.Path()
        for dx in range(-60, 61, 24):
            for dy in range(-60, 61, 24):
                dots.addCircle(x + dx + (dy // 24 % 2) * 12, y + dy, 3.6)
        brush.gouache(dots, "#fff6e4", 0.75, clip=patch)
    elif kind == 2:
        stripes = skia.Path()
        for dx in range(-90, 91, 18):
            stripes.addPath(
                ribbon([(x + dx - 40, y + 70), (x + dx, y), (x + dx + 40, y - 70)], [4, 4, 4])
            )
        brush.gouache(stripes, "#fff1dc", 0.4, clip=patch)


def _shade(brush: Brush) -> None:
    whole = blob(
        [_gore_edge(-_HALF, d / 8) for d in range(9)]
        + [_gore_edge(i, 1.0) for i in range(-_HALF + 2, _HALF - 1, 2)]
        + [_gore_edge(_HALF, d / 8) for d in range(8, -1, -1)],
        {0, 8},
    )
    brush.wash(whole, "#7a4a78", 0.55, edge=0, fade=Fade((-120, -100), (640, -160), 0.0, 1.0))
    brush.wash(whole, "#8a5470", 0.45, edge=0, fade=Fade((0, -10), (0, -190), 1.0, 0.0))
    brush.gouache(ellipse(-330, -200, 120, 46, -38), "#fff2d6", 0.35, soft=30, clip=whole)
    mouth = ellipse(0, -2, 88, 20)
    brush.wash(mouth, "#8a4a4a", 1.0, reserve=1.0)
    brush.wash(
        ellipse(0, -2, 60, 12),
        Blend((0, -2), (56, -2), "#ffe9a8", "#c86a4a", True),
        reserve=0.9,
        edge=0,
    )
    brush.pencil(mouth, LINE, 2.2)


def ropes(sheet: Sheet, mouth: Placement, basket: Placement, *, front: bool) -> None:
    """The four ropes; front: the two nearer ones."""
    for side in (-1, 1):
        top = mouth.point((side * (64 if front else 40), 8))
        end = basket.point((side * (240 if front else 196), -4 if front else -34))
        middle = ((top[0] * 0.45 + end[0] * 0.55) + side * 6, top[1] * 0.5 + end[1] * 0.5)
        line = ribbon([top, middle, end], [5.0, 6.0, 6.5] if front else [3.6, 4, 4])
        sheet.wash(line, "#b98a5c", 1.0, reserve=1.0, edge=0.2)
        sheet.pencil(line, LINE, 1.2, strength=0.5)


def basket_inside(sheet: Sheet, placement: Placement) -> None:
    """The far rim and the inside."""
    brush = Brush(sheet, placement)
    brush.wash(ellipse(0, -8, 256, 40), "#6a4234", 1.0, reserve=1.0, edge=0.3)
    brush.wash(
        ellipse(0, -8, 256, 40), "#3a2430", 0.7, edge=0, fade=Fade((0, -40), (0, 20), 0.2, 1)
    )
    rim = ribbon([(-256, -8), (-180, -36), (0, -48), (180, -36), (256, -8)], [12, 15, 16, 15, 12])
    brush.wash(rim, "#c8935c", 1.0, reserve=1.0)
    brush.pencil(rim, LINE, 1.6, strength=0.5)


BASKET = blob(
    [
        (-258, -4),
        (-130, 24),
        (0, 32),
        (130, 24),
        (258, -4),
        (240, 130),
        (214, 262),
        (100, 284),
        (0, 288),
        (-100, 284),
        (-214, 262),
        (-240, 130),
    ],
    {0, 4, 6, 10},
)


def basket_front(sheet: Sheet, placement: Placement) -> None:
    """The woven front, its padded rim, a garland and a sandbag."""
    brush = Brush(sheet, placement)
    brush.wash(
        BASKET,
        Blend((-220, 0), (260, 120), "#dba867", "#96603f"),
        1.0,
        reserve=1.0,
        edge=0.5,
        flow=0.25,
    )
    _weave(brush)
    brush.wash(BASKET, "#6c3a4a", 0.6, edge=0, fade=Fade((-40, 60), (290, 160), 0.0, 1.0))
    brush.wash(BASKET, "#5c3046", 0.7, edge=0, fade=Fade((0, 14), (0, 66), 1.0, 0.0))
    brush.pencil(BASKET, LINE, 2.2)
    line: list[Point] = [(-260, -6), (-130, 22), (0, 30), (130, 22), (260, -6)]
    rim = ribbon(line, [24, 29, 30, 29, 24])
    brush.wash(rim, "#b5594c", 1.0, reserve=1.0, edge=0.5)
    brush.wash(rim, "#5c2440", 0.6, edge=0, fade=Fade((-60, 0), (260, 20), 0, 1))
    brush.gouache(ribbon([(x, y - 7) for x, y in line], [2, 5, 5, 4, 2]), "#f4b296", 0.5, soft=1.5)
    brush.pencil(rim, LINE, 1.8, strength=0.6)
    for x in range(-220, 221, 44):
        y = 30 - (x / 260) ** 2 * 36
        brush.stroke(
            [(x - 4, y - 13), (x + 2, y), (x - 2, y + 13)], [1.6, 2.4, 1.6], "#5c2440", strength=0.6
        )
    _garland(brush)


def _weave(brush: Brush) -> None:
    withes, gaps = skia.Path(), skia.Path()
    for row in range(13):
        y = 48 + row * 19
        for column in range(-11, 12):
            x = column * 24 + (row % 2) * 12
            drop = -((x / 258) ** 2) * 30
            withes.addPath(
                ribbon(
                    [(x - 10, y + drop + 3), (x, y + drop - 4), (x + 10, y + drop + 3)],
                    [5, 10, 5],
                    4,
                )
            )
            gaps.addPath(ribbon([(x + 12, y + drop - 9), (x + 12, y + drop + 7)], [3, 3], 2))
    brush.wash(withes, "#b9824c", 0.5, edge=0.7, clip=BASKET)
    brush.wash(gaps, "#6a4438", 0.45, edge=0, clip=BASKET)
    brush.gouache(withes, "#f3cf94", 0.12, soft=2, clip=BASKET)


def _garland(brush: Brush) -> None:
    string: list[Point] = [(-238, 46), (-120, 98), (0, 70), (120, 100), (238, 46)]
    brush.stroke(string, [2.4, 2.4, 2.4], "#6a3a44", strength=0.8)
    flags = (
        (-196, 66),
        (-148, 86),
        (-100, 94),
        (-50, 80),
        (0, 72),
        (50, 82),
        (100, 96),
        (150, 88),
        (198, 66),
    )
    for index, (x, y) in enumerate(flags):
        flag = blob([(x - 19, y - 2), (x + 19, y - 1), (x + 1, y + 42)], {0, 1, 2})
        brush.wash(flag, QUILT[(index * 3) % len(QUILT)], 1.0, reserve=1.0, edge=0.6)
        brush.pencil(flag, LINE, 1.4, strength=0.5)
