"""The painted face in the hood's opening, until a child's own face takes its place."""

from __future__ import annotations

import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Point, blob, ellipse
from books.atelier.sheet import Blend, Fade

FACE_RX, FACE_RY = 88.0, 110.0
"""Half axes of the opening in the figure's own units."""


def paint_face(brush: Brush, shade: float, gaze: Point) -> None:
    """A whole face in the proportions of a small child, for a photographed one to take over.

    shade: +1 when the light comes from the left, -1 from the right; gaze: how far the pupils
    move, in the figure's units.
    """
    oval = ellipse(0, 0, FACE_RX + 3, FACE_RY + 3)
    skin = Blend((-18 * shade, -8), (-18 * shade, 122), "#fbe3cb", "#eebd98", True)
    brush.wash(oval, skin, 1.0, reserve=1.0, edge=0, flow=0.06)
    brush.wash(
        oval,
        "#dc9a7c",
        0.55,
        edge=0,
        flow=0.08,
        fade=Fade((20 * shade, 0), (95 * shade, 30), 0, 1),
    )
    for side in (-1, 1):
        brush.wash(ellipse(side * 50, 33, 20, 15), "#ee8574", 0.75, soft=9, clip=oval)
        _eye(brush, side, gaze)
    brush.wash(ellipse(0, 26, 9, 5), "#e08f78", 0.6, soft=4, clip=oval)
    brush.stroke([(-8, 25), (-3, 30), (4, 30), (8, 25)], [0.8, 2.4, 2.4, 0.8], "#b5644f")
    brush.gouache(ellipse(-2 * shade, 12, 3, 8), "#fff3e2", 0.5, soft=3)
    mouth = blob(
        [(-25, 52), (-10, 57), (0, 58), (10, 57), (25, 52), (12, 66), (0, 69), (-12, 66)], {0, 4}
    )
    brush.wash(mouth, "#c75f57", 0.95, edge=0.2)
    brush.stroke([(-29, 50), (-12, 57), (12, 57), (29, 50)], [1.0, 3.0, 3.0, 1.0], "#7c3a3a")
    rim = ellipse(0, 0, FACE_RX + 6, FACE_RY + 6)
    hollow = ellipse(-5 * shade, 9, FACE_RX - 6, FACE_RY - 4)
    shadow = skia.Op(rim, hollow, skia.kDifference_PathOp)
    brush.wash(shadow, "#a8604f", 0.75, soft=9, clip=oval)


def _eye(brush: Brush, side: int, gaze: Point) -> None:
    x, y = side * 40.5, -17.6
    white = blob(
        [
            (x - 20, y + 3),
            (x - 10, y - 14),
            (x + 10, y - 14),
            (x + 20, y + 3),
            (x + 10, y + 15),
            (x - 10, y + 15),
        ],
        {0, 3},
    )
    brush.wash(white, "#fbf4ea", 1.0, reserve=1.0, edge=0.1)
    iris = ellipse(x + gaze[0], y + gaze[1], 13.5, 15.5)
    brush.wash(
        iris, Blend((x, y - 12), (x, y + 14), "#3a2420", "#8a5a3c"), 1.15, edge=0.5, clip=white
    )
    brush.wash(ellipse(x + gaze[0], y + gaze[1], 6.5, 8), "#1e1416", 1.1, clip=white)
    brush.gouache(ellipse(x + gaze[0] - 4, y + gaze[1] - 5, 3.6, 3.9), "#ffffff", 1.0, dry=0)
    brush.gouache(ellipse(x + gaze[0] + 4, y + gaze[1] + 6, 1.8, 1.8), "#ffffff", 0.8, dry=0)
    lid = [(x - 21, y + 2), (x - 10, y - 14), (x + 10, y - 14.5), (x + 21, y + 2)]
    brush.stroke(lid, [1.6, 4.4, 4.4, 1.6], "#4a2c2c", strength=0.95)
    brush.stroke([(x + side * 17, y - 4), (x + side * 24, y - 8)], [3, 0.8], "#4a2c2c")
    brow = [(x - side * 17, y - 31), (x + side * 2, y - 37), (x + side * 19, y - 31)]
    brush.stroke(brow, [2.4, 5.4, 1.6], "#6a4032", strength=0.75)
