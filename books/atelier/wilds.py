"""Wild places: old trees, mountains, great steps, ice, clouds to stand in."""

from __future__ import annotations

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.plants import ridge
from books.atelier.shapes import Placement, Point, add_blob, add_ribbon, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet
from books.atelier.sky import cloud, rectangle


def old_tree(sheet: Sheet, x: float, foot: float, width: float, colour: str, seed: int) -> None:
    """A trunk that leaves the picture at the top, with roots and two boughs."""
    rng = np.random.default_rng(seed)
    lean = float(rng.normal(0, 0.25)) * width
    path = skia.Path()
    spine: list[Point] = [(x, foot), (x + lean * 0.4, foot * 0.55), (x + lean, -60)]
    add_ribbon(path, spine, [width * 1.5, width, width * 0.8, width * 0.9])
    for side in (-1, 1):
        root = [
            (x + side * width * 0.3, foot - 40),
            (x + side * width * 0.8, foot + 6),
            (x + side * width * 1.3, foot + 16),
        ]
        add_ribbon(path, root, [width * 0.5, width * 0.34, 3])
        start = foot * float(rng.uniform(0.25, 0.45))
        bough = [
            (x + lean * 0.5, start),
            (x + side * width * 1.4, start - width * 0.7),
            (x + side * width * 2.6, start - width * 1.7),
        ]
        add_ribbon(path, bough, [width * 0.5, width * 0.3, 4])
    sheet.wash(path, colour, 1.0, reserve=0.95, edge=0.5, flow=0.35, wobble=2)
    bark = skia.Path()
    for _ in range(16):
        at = x + float(rng.uniform(-0.42, 0.42)) * width
        y = float(rng.uniform(0.1, 0.95)) * foot
        add_ribbon(bark, [(at, y), (at + 4, y - 40), (at + lean * 0.1, y - 90)], [1, 3.4, 1])
    sheet.wash(bark, "#182440", 0.45, edge=0, clip=path)


def branch(sheet: Sheet, start: Point, end: Point, width: float, colour: str) -> None:
    """A bough that somebody may sit on, with a few leaves."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + width * 0.4)
    path = ribbon([start, middle, end], [width, width * 0.7, width * 0.3])
    sheet.wash(path, colour, 1.0, reserve=1.0, edge=0.5)
    sheet.pencil(path, "#1c2238", 2.0, strength=0.5)
    leaves = skia.Path()
    for share, side in ((0.62, -1), (0.7, 1), (0.82, -1), (0.9, 1), (0.97, -1)):
        x = start[0] + (end[0] - start[0]) * share
        y = start[1] + (end[1] - start[1]) * share + width * 0.3
        leaves.addPath(ellipse(x, y + side * 20, 9, 20, 24 * side))
    sheet.wash(leaves, "#4f8a7c", 1.0, reserve=1.0, edge=0.6)


def canopy(sheet: Sheet, colour: str, seed: int, depth: float = 150.0) -> None:
    """Leaves along the upper edge of the picture."""
    rng = np.random.default_rng(seed)
    path = skia.Path()
    for _ in range(120):
        x = float(rng.uniform(-40, sheet.size + 40))
        y = float(rng.uniform(-60, depth)) * (0.5 + abs(x / sheet.size - 0.5))
        path.addPath(ellipse(x, y, rng.uniform(18, 46), rng.uniform(12, 26), rng.uniform(-40, 40)))
    sheet.wash(path, colour, 0.9, reserve=0.8, edge=0.5, flow=0.4)


def peak(
    sheet: Sheet, top: Point, width: float, foot: float, colour: str, shade: str, seed: int
) -> None:
    """A mountain with snow on it, lit from the left."""
    rng = np.random.default_rng(seed)
    x, y = top
    left: list[Point] = []
    right: list[Point] = []
    for share in (0.25, 0.5, 0.75):
        down = y + (foot - y) * share
        left.append(
            (x - width / 2 * share + float(rng.normal(0, 12)), down + float(rng.normal(0, 8)))
        )
        right.append(
            (x + width / 2 * share + float(rng.normal(0, 12)), down + float(rng.normal(0, 8)))
        )
    outline = [(x - width / 2, foot), *reversed(left), top, *right, (x + width / 2, foot)]
    body = blob(outline, set(range(len(outline))))
    sheet.wash(
        body, Blend(top, (x, foot), "#eef2fb", colour), 1.0, reserve=1.0, edge=0.3, wobble=2.5
    )
    dark = blob(
        [
            top,
            *right,
            (x + width / 2, foot),
            (x + width * 0.08, foot),
            (x - width * 0.03, y + (foot - y) * 0.55),
            (x + width * 0.04, y + (foot - y) * 0.3),
        ],
        set(range(8)),
    )
    sheet.wash(dark, shade, 0.5, edge=0.3, flow=0.4, clip=body, wobble=2.5)
    for _ in range(7):
        share = float(rng.uniform(0.35, 0.95))
        down = y + (foot - y) * share
        at = x + float(rng.uniform(-0.4, 0.4)) * width * share
        rock = ribbon([(at, down - 34), (at + 8, down), (at - 6, down + 30)], [2, 13, 2])
        sheet.wash(rock, shade, 0.6, edge=0.3, clip=body)


def slab(
    sheet: Sheet,
    left: float,
    right: float,
    top: float,
    *,
    light: str = "#eaf0fc",
    rock: str = "#5d6792",
) -> skia.Path:
    """A great flat stone with snow on it, down to the foot of the sheet; returns its outline."""
    low = sheet.size + 40.0
    body = blob(
        [
            (left, top),
            (right, top - 6),
            (right + 12, top + 60),
            (right - 6, low),
            (left + 8, low),
            (left - 14, top + 70),
        ],
        {0, 1, 3, 4},
    )
    sheet.wash(
        body, Blend((0, top), (0, top + 320), rock, "#2c3563"), 1.0, reserve=1.0, edge=0.5, flow=0.4
    )
    cracks = skia.Path()
    rng = np.random.default_rng(int(left) + 2000)
    for _ in range(7):
        x, y = float(rng.uniform(left, right)), float(rng.uniform(top + 50, top + 260))
        add_ribbon(cracks, [(x, y), (x + 12, y + 28), (x - 4, y + 66)], [1, 3.5, 1])
    sheet.wash(cracks, "#1f2750", 0.7, edge=0, clip=body)
    snow = skia.Path()
    add_ribbon(
        snow,
        [(left - 4, top + 8), ((left + right) / 2, top - 2), (right + 4, top + 4)],
        [30, 40, 30],
    )
    for share in (0.12, 0.34, 0.58, 0.85):
        add_blob(
            snow,
            [
                (left + (right - left) * share + dx, top + dy)
                for dx, dy in ((-26, 6), (0, 46), (26, 6))
            ],
        )
    sheet.wash(
        snow, Blend((0, top - 20), (0, top + 50), "#ffffff", light), 0.7, reserve=1.0, edge=0.5
    )
    sheet.wash(snow, "#8fa2d6", 0.5, edge=0, fade=Fade((0, top), (0, top + 50), 0, 1))
    return body


def ice_cave(sheet: Sheet, centre: Point, half: Point) -> None:
    """Walls of blue ice around an opening; the opening shows what was painted before."""
    page = rectangle(-20, -20, sheet.size + 20, sheet.size + 20)
    mouth = blob(
        [
            (centre[0] + half[0] * dx, centre[1] + half[1] * dy)
            for dx, dy in (
                (-1, 1),
                (-0.95, 0),
                (-0.6, -0.7),
                (-0.1, -1),
                (0.4, -0.85),
                (0.9, -0.3),
                (1, 1),
            )
        ],
        {0, 6},
    )
    wall = skia.Op(page, mouth, skia.kDifference_PathOp)
    sheet.wash(
        wall,
        Blend((512, 0), (512, 1024), "#1d2f66", "#7fa6d8"),
        1.0,
        reserve=1.0,
        edge=0.8,
        flow=0.4,
    )
    rng = np.random.default_rng(77)
    for _ in range(26):
        x, y = float(rng.uniform(0, 1024)), float(rng.uniform(0, 1024))
        facet = blob(
            [
                (x, y),
                (x + rng.uniform(40, 120), y + rng.uniform(-40, 30)),
                (x + rng.uniform(20, 90), y + rng.uniform(40, 140)),
            ],
            {0, 1, 2},
        )
        sheet.wash(facet, "#a9cdf0" if y > 420 else "#7f9fdc", 0.3, edge=0.6, clip=wall)
    icicles = skia.Path()
    for share in np.linspace(0.1, 0.9, 13):
        x = centre[0] - half[0] * 0.8 + half[0] * 1.6 * float(share)
        y = centre[1] - half[1] * (0.98 - 0.55 * abs(float(share) - 0.5) * 2)
        add_ribbon(
            icicles, [(x, y - 10), (x, y + 20), (x, y + float(rng.uniform(40, 96)))], [22, 13, 1]
        )
    sheet.wash(
        icicles,
        Blend((0, centre[1] - half[1]), (0, centre[1]), "#8fb6e4", "#e9f6ff"),
        1.0,
        reserve=1.0,
        edge=0.7,
    )


def fallen_log(sheet: Sheet, left: float, right: float, y: float) -> None:
    """A trunk that lies in the snow, with snow on it."""
    trunk = ribbon([(left, y), ((left + right) / 2, y - 8), (right, y + 6)], [112, 120, 116])
    sheet.wash(
        trunk,
        Blend((0, y - 60), (0, y + 60), "#9a745c", "#4a3548"),
        1.0,
        reserve=1.0,
        edge=0.5,
        flow=0.4,
    )
    bark = skia.Path()
    rng = np.random.default_rng(3)
    for _ in range(34):
        x = float(rng.uniform(left + 20, right - 20))
        down = y + float(rng.uniform(-30, 48))
        add_ribbon(bark, [(x, down), (x + 36, down + 3), (x + 76, down)], [0.8, 3, 0.8])
    sheet.wash(bark, "#33243a", 0.6, edge=0, clip=trunk)
    end = ellipse(left, y, 34, 56)
    sheet.wash(end, "#d9b48c", 1.0, reserve=1.0, edge=0.5)
    for size in (0.72, 0.46, 0.22):
        sheet.pencil(ellipse(left, y, 34 * size, 56 * size), "#7a5040", 2.4, strength=0.6)
    snow = ribbon(
        [(left + 10, y - 52), ((left + right) / 2, y - 66), (right, y - 48)], [26, 44, 30]
    )
    sheet.wash(
        snow, Blend((0, y - 84), (0, y - 30), "#ffffff", "#b9c8ee"), 0.8, reserve=1.0, edge=0.4
    )
    sheet.pencil(trunk, "#33243a", 2.2, strength=0.4)


def cloud_bank(
    sheet: Sheet,
    y: float,
    seed: int,
    *,
    colour: str = "#eef0fa",
    shadow: str = "#8f9fd0",
    height: float = 120.0,
) -> None:
    """Clouds from side to side whose tops reach up to about `y`, dense to the foot of the sheet."""
    rng = np.random.default_rng(seed)
    base = ridge(sheet, [y + height * 0.5 + float(rng.normal(0, 8)) for _ in range(7)])
    sheet.wash(base, Blend((0, y), (0, y + 300), colour, shadow), 0.8, reserve=1.0, edge=0, soft=8)
    for row in (0.3, 0.75):
        for x in range(-60, sheet.size + 120, 190):
            at = (x + float(rng.uniform(-40, 40)), y + height * (0.6 + row))
            cloud(
                sheet,
                at,
                float(rng.uniform(250, 380)),
                height * float(rng.uniform(0.7, 1.0)),
                seed + 60 + x,
                colour=colour,
                shadow=shadow,
                opacity=0.9,
            )


def cloud_seat(sheet: Sheet, placement: Placement) -> None:
    """One big cloud that carries, 760 wide; its top at y 0."""
    brush = Brush(sheet, placement)
    heap = skia.Path()
    for x, y, radius in (
        (-300, 80, 70),
        (-200, 50, 92),
        (-80, 60, 104),
        (50, 54, 108),
        (180, 62, 96),
        (290, 86, 70),
        (-120, 120, 90),
        (80, 124, 100),
        (220, 120, 70),
    ):
        heap.addCircle(x, y, radius)
    brush.wash(heap, "#f4f3fb", 0.9, reserve=1.0, edge=0.3, soft=3)
    brush.wash(heap, "#7f8ec6", 0.8, edge=0, fade=Fade((0, 40), (0, 220), 0, 1), soft=3)
    for x, y in ((-210, 40), (-70, 30), (70, 24), (196, 48)):
        brush.gouache(ellipse(x, y, 52, 26), "#ffffff", 0.5, soft=12, clip=heap)
