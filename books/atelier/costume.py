"""The fox costume: its pigments and its outlines, about the centre of the face opening."""

from __future__ import annotations

from dataclasses import dataclass

import skia

from books.atelier.shapes import blob


@dataclass(frozen=True)
class Dress:
    """Pigments of the costume."""

    fur: str = "#d9713a"
    fur_deep: str = "#b8584a"
    cream: str = "#f8e8cf"
    cream_deep: str = "#d9b08c"
    coat: str = "#e5b04a"
    coat_deep: str = "#b0702f"
    mitten: str = "#b5483e"
    leggings: str = "#7d9a94"
    boots: str = "#8a5a3c"
    line: str = "#5a3436"


HOOD = blob(
    [
        (0, -176),
        (70, -165),
        (124, -112),
        (147, -30),
        (140, 58),
        (104, 128),
        (52, 156),
        (0, 160),
        (-52, 156),
        (-104, 128),
        (-140, 58),
        (-147, -30),
        (-124, -112),
        (-70, -165),
    ]
)
EAR = blob([(36, -168), (78, -222), (139, -272), (158, -196), (138, -88), (88, -108)], {2})
EAR_INSIDE = blob([(74, -172), (98, -208), (133, -246), (142, -190), (126, -126)], {2})
CAPE = blob(
    [
        (-66, 122),
        (-128, 160),
        (-168, 214),
        (-182, 268),
        (-140, 262),
        (-98, 282),
        (-48, 272),
        (0, 290),
        (48, 272),
        (98, 282),
        (140, 262),
        (182, 268),
        (168, 214),
        (128, 160),
        (66, 122),
    ],
    {3, 5, 7, 9, 11},
)
COAT = blob(
    [
        (-100, 225),
        (-128, 300),
        (-158, 388),
        (-152, 412),
        (-80, 424),
        (0, 428),
        (80, 424),
        (152, 412),
        (158, 388),
        (128, 300),
        (100, 225),
    ]
)
TAIL = blob(
    [
        (96, 372),
        (150, 398),
        (214, 392),
        (262, 340),
        (284, 268),
        (312, 330),
        (306, 404),
        (262, 452),
        (188, 462),
        (110, 428),
    ],
    {4},
)
TAIL_TIP = blob([(284, 262), (320, 330), (300, 360), (284, 342), (272, 358), (256, 332)], {0})


def mirrored(path: skia.Path) -> skia.Path:
    """The outline on the other side of the figure's axis."""
    matrix = skia.Matrix()
    matrix.setScale(-1, 1)
    result = skia.Path()
    path.transform(matrix, result)
    return result
