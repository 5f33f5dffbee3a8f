"""A child's room: a wall, a window with a blue curtain, a bed; and the same window from outside."""

from __future__ import annotations

import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet
from books.atelier.sky import rectangle, star_outline

LINE = "#5a3a48"
QUILT = ("#d9776a", "#efc06a", "#7fa8a4", "#f3e3c6", "#b98aa8", "#8fb0cf")


def wall_around(
    sheet: Sheet, window: tuple[float, float, float, float], first: str, second: str
) -> None:
    """A papered wall with a hole for a window (left, top, right, bottom)."""
    page = rectangle(-20, -20, sheet.size + 20, sheet.size + 20)
    wall = skia.Op(page, rectangle(*window), skia.kDifference_PathOp)
    sheet.wash(
        wall, Blend((0, 0), (sheet.size, sheet.size), first, second), 0.9, reserve=1.0, edge=0
    )
    stars = skia.Path()
    for row in range(9):
        for column in range(9):
            stars.addPath(
                star_outline((60 + column * 120 + (row % 2) * 60, 50 + row * 112), 11, row * 20)
            )
    sheet.gouache(stars, "#fff8e6", 0.35, clip=wall)


def window_frame(
    sheet: Sheet, window: tuple[float, float, float, float], *, bars: bool = True
) -> None:
    """The wooden frame, its cross and the sill."""
    left, top, right, bottom = window
    beams: list[list[Point]] = [
        [(left, top), (right, top)],
        [(left, top), (left, bottom)],
        [(right, top), (right, bottom)],
    ]
    if bars:
        beams.append([((left + right) / 2, top), ((left + right) / 2, bottom)])
        beams.append([(left, (top * 0.58 + bottom * 0.42)), (right, (top * 0.58 + bottom * 0.42))])
    for beam in beams:
        path = ribbon(beam, [20, 20])
        sheet.wash(path, "#f4e6cc", 1.0, reserve=1.0, edge=0.4)
        sheet.pencil(path, LINE, 1.8, strength=0.5)
    sill = blob(
        [
            (left - 46, bottom - 14),
            (right + 46, bottom - 14),
            (right + 60, bottom + 24),
            (left - 60, bottom + 24),
        ],
        {0, 1, 2, 3},
    )
    sheet.wash(
        sill,
        Blend((0, bottom - 14), (0, bottom + 24), "#f9eed8", "#cfae8a"),
        1.0,
        reserve=1.0,
        edge=0.4,
    )
    sheet.pencil(sill, LINE, 2.0, strength=0.5)


def curtain(
    sheet: Sheet,
    at: Point,
    width: float,
    height: float,
    *,
    flip: bool = False,
    colour: str = "#5f86c4",
) -> None:
    """A gathered blue curtain with stars; `at`: its upper outer corner."""
    brush = Brush(sheet, Placement(*at, 1.0, 0, flip=flip))
    cloth = blob(
        [
            (0, 0),
            (width, 0),
            (width * 0.7, height * 0.34),
            (width * 0.34, height * 0.62),
            (width * 0.5, height * 0.82),
            (width * 0.56, height),
            (-10, height),
        ],
        {0, 1, 5, 6},
    )
    brush.wash(cloth, colour, 1.0, reserve=1.0, edge=0.4, flow=0.3)
    for share in (0.15, 0.35, 0.55, 0.78):
        fold = [
            (width * share, 0),
            (width * share * 0.6, height * 0.6),
            (width * share * 0.7, height),
        ]
        brush.wash(ribbon(fold, [3, 14, 10]), "#31528f", 0.6, soft=4, clip=cloth)
    dots = skia.Path()
    for row in range(7):
        for column in range(3):
            dots.addPath(
                star_outline((24 + column * 52 + row % 2 * 24, 40 + row * 66), 9, 10 * row)
            )
    brush.gouache(dots, "#f6e8b0", 0.8, clip=cloth)
    tie = ribbon([(-6, height * 0.62), (width * 0.38, height * 0.62)], [20, 18])
    brush.wash(tie, "#efc06a", 1.0, reserve=1.0)
    brush.pencil(cloth, LINE, 2.0, strength=0.5)


def quilt(sheet: Sheet, left: float, right: float, top: float) -> None:
    """A patchwork quilt over somebody's knees, from `top` to the foot of the sheet."""
    hump = blob(
        [
            (left, top + 50),
            ((left + right) / 2 - 120, top),
            ((left + right) / 2 + 120, top),
            (right, top + 50),
            (right + 30, 1080),
            (left - 30, 1080),
        ],
        {3, 4, 5},
    )
    sheet.wash(hump, "#f3e3c6", 1.0, reserve=1.0)
    size = 92
    for row in range(6):
        for column in range(int((right - left + 120) / size) + 1):
            x, y = left - 60 + column * size, top - 10 + row * size
            patch = blob(
                [(x, y), (x + size, y - 4), (x + size, y + size), (x, y + size + 4)], {0, 1, 2, 3}
            )
            sheet.wash(
                patch,
                QUILT[(column * 2 + row * 3) % len(QUILT)],
                0.9,
                reserve=1.0,
                edge=0.5,
                clip=hump,
            )
            if (row + column) % 2:
                sheet.gouache(
                    star_outline((x + size / 2, y + size / 2), 18, 8), "#fff6e4", 0.6, clip=hump
                )
            sheet.pencil(patch, "#8a5a54", 1.6, strength=0.5, clip=hump)
    sheet.wash(hump, "#8a5470", 0.6, edge=0, fade=Fade((0, top + 60), (0, top + 420), 0, 1))
    fold = ribbon(
        [(left - 10, top + 52), ((left + right) / 2, top + 6), (right + 10, top + 52)], [34, 46, 34]
    )
    sheet.wash(fold, "#fbf4e6", 0.7, reserve=1.0, edge=0.4)
    sheet.pencil(fold, LINE, 1.6, strength=0.4)


def bed_head(sheet: Sheet, left: float, right: float, top: float) -> None:
    """A carved bed head with a pillow before it."""
    board = blob(
        [
            (left, 1060),
            (left, top + 70),
            ((left + right) / 2, top),
            (right, top + 70),
            (right, 1060),
        ],
        {0, 1, 3, 4},
    )
    sheet.wash(
        board,
        Blend((left, top), (right, top + 300), "#c99a6a", "#9a6a4c"),
        1.0,
        reserve=1.0,
        edge=0.5,
    )
    sheet.gouache(star_outline(((left + right) / 2, top + 52), 26, 0), "#fbe3a4", 0.8)
    sheet.pencil(board, LINE, 2.4)
    pillow = blob(
        [
            (left + 30, top + 210),
            ((left + right) / 2, top + 160),
            (right - 30, top + 210),
            (right - 14, top + 380),
            (left + 14, top + 380),
        ]
    )
    sheet.wash(pillow, "#fdf7ec", 0.8, reserve=1.0, edge=0.5)
    sheet.wash(pillow, "#b9b0cc", 0.5, edge=0, fade=Fade((0, top + 200), (0, top + 400), 0, 1))


def flower_box(sheet: Sheet, left: float, right: float, y: float) -> None:
    """A box of flowers below a window."""
    box = blob([(left, y), (right, y), (right - 14, y + 56), (left + 14, y + 56)], {0, 1, 2, 3})
    for index in range(int((right - left) / 34)):
        x = left + 22 + index * 34
        sheet.wash(ellipse(x, y - 12, 20, 18), "#4f7f68", 1.0, reserve=0.9, edge=0.5)
        bloom = ("#e0798a", "#f3d27a", "#f6efe2", "#b9a7dc")[index % 4]
        sheet.wash(
            ellipse(x + 4, y - 24 - index % 3 * 6, 13, 12), bloom, 1.0, reserve=1.0, edge=0.7
        )
        sheet.wash(ellipse(x + 4, y - 24 - index % 3 * 6, 4, 4), "#e0a03c", 1.0, reserve=1.0)
    sheet.wash(box, "#8a5a4c", 1.0, reserve=1.0, edge=0.5)
    sheet.pencil(box, LINE, 2.0)
