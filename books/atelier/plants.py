"""Things that grow: hills, pines, leafy crowns, grass, flowers, toadstools."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.shapes import (
    Placement,
    Point,
    add_blob,
    add_ribbon,
    blob,
    ellipse,
    ribbon,
    united,
)
from books.atelier.sheet import Blend, Fade, Sheet


def ridge(sheet: Sheet, heights: list[float], base: float | None = None) -> skia.Path:
    """A hill line through evenly spread heights (y, px), closed along the bottom."""
    low = sheet.size + 40.0 if base is None else base
    step = (sheet.size + 80) / (len(heights) - 1)
    line = [(-40 + index * step, y) for index, y in enumerate(heights)]
    count = len(line)
    return blob([*line, (sheet.size + 40, low), (-40, low)], {0, count - 1, count, count + 1})


def hill(
    sheet: Sheet,
    heights: list[float],
    colour: str,
    foot: str,
    *,
    density: float = 1.0,
    depth: float = 260.0,
    reserve: float = 0.9,
) -> skia.Path:
    """A hill that pales towards its foot as if in mist; returns its outline."""
    path = ridge(sheet, heights)
    top = min(heights)
    sheet.wash(
        path,
        Blend((0, top), (0, top + depth), colour, foot),
        density,
        reserve=reserve,
        edge=0.5,
        flow=0.22,
        wobble=2.5,
    )
    sheet.wash(
        path, colour, 0.35, edge=0.2, flow=0.5, fade=Fade((0, top), (0, top + depth * 0.6), 1, 0)
    )
    return path


def pine(
    sheet: Sheet,
    at: Point,
    height: float,
    colour: str,
    seed: int,
    *,
    density: float = 1.0,
    light: str | None = None,
    snow: bool = False,
    reserve: float = 0.7,
) -> None:
    """A fir seen against the light; `at`: the foot of its trunk."""
    rng = np.random.default_rng(seed)
    x, y = at
    path = skia.Path()
    add_ribbon(path, [(x, y + 4), (x, y - height * 0.9)], [height * 0.05, 1.5])
    tiers = max(6, int(height / 24))
    boughs: list[tuple[Point, Point, Point]] = []
    for tier in range(tiers):
        part = tier / tiers
        spread = height * 0.27 * (1 - part) ** 0.85 + 3
        top = y - height * (0.16 + 0.84 * part) - height * 0.12
        for side in (-1, 1):
            reach = spread * rng.uniform(0.78, 1.12)
            drop = height * (0.11 + 0.5 / tiers) * rng.uniform(0.8, 1.1)
            tip = (x + side * reach, top + drop)
            add_blob(
                path,
                [
                    (x - side * 2, top),
                    (x + side * reach * 0.45, top + drop * 0.42),
                    tip,
                    (x + side * reach * 0.66, top + drop * 0.98),
                    (x + side * reach * 0.4, top + drop * 0.86),
                    (x - side * 2, top + drop * 1.1),
                ],
                {0, 2, 5},
            )
            boughs.append(((x, top), (x + side * reach * 0.45, top + drop * 0.42), tip))
    sheet.wash(
        path,
        colour,
        density,
        reserve=reserve,
        edge=0.55,
        flow=0.3,
        wobble=1.6,
        fade=Fade((0, y - height), (0, y), 1.05, 0.8),
    )
    if light is not None:
        lit = united(
            ribbon(list(bough), [1, height * 0.012 + 0.8, 0.6])
            for bough in boughs
            if bough[2][0] < x
        )
        sheet.gouache(lit, light, 0.55, dry=0.6, wobble=1.6)
    if snow:
        _snow_on(sheet, boughs, height)


def _snow_on(sheet: Sheet, boughs: list[tuple[Point, Point, Point]], height: float) -> None:
    thick = min(height * 0.03 + 1.5, 12.0)
    loads = united(
        ribbon(
            [
                (top[0] * 0.8 + half[0] * 0.2, top[1] * 0.8 + half[1] * 0.2 + 3),
                (half[0] * 0.6 + tip[0] * 0.4, half[1] * 0.6 + tip[1] * 0.4 - 1),
                (tip[0], tip[1] - 1),
            ],
            [thick * 0.3, thick, thick * 0.8, 0.8],
        )
        for top, half, tip in boughs
    )
    sheet.gouache(loads, "#f0f4fc", 0.95, dry=0.04, wobble=2.0)
    sheet.wash(loads, "#a9bcdf", 0.3, edge=0.5, flow=0.5, grain=0.0, wobble=2.0)


def grove(
    sheet: Sheet,
    feet: Sequence[tuple[float, float, float]],
    colour: str,
    seed: int,
    *,
    density: float = 1.0,
    light: str | None = None,
    snow: bool = False,
    reserve: float = 0.7,
) -> None:
    """Several firs, each (x, y, height)."""
    for index, (x, y, height) in enumerate(feet):
        pine(
            sheet,
            (x, y),
            height,
            colour,
            seed + index,
            density=density,
            light=light,
            snow=snow,
            reserve=reserve,
        )


def grass(
    sheet: Sheet,
    span: tuple[float, float],
    y: float,
    height: float,
    colour: str,
    seed: int,
    *,
    count: int = 60,
    density: float = 1.0,
    sway: float = 0.35,
    reserve: float = 0.5,
    depth: float = 14.0,
) -> None:
    """A tuft or a meadow's edge: blades from about `y` upwards, one wash."""
    rng = np.random.default_rng(seed)
    path = skia.Path()
    for _ in range(count):
        x, foot = rng.uniform(*span), y + rng.uniform(-depth, depth)
        long = height * rng.uniform(0.45, 1.1)
        lean = rng.normal(0.08, sway) * long
        add_ribbon(
            path,
            [(x, foot), (x + lean * 0.3, foot - long * 0.6), (x + lean, foot - long)],
            [height * 0.075 + 1.4, height * 0.055 + 1, 0.6],
            5,
        )
    sheet.wash(path, colour, density, reserve=reserve, edge=0.2, flow=0.35, wobble=0.8)


def leaf_sprig(
    sheet: Sheet,
    at: Point,
    length: float,
    angle: float,
    colour: str,
    *,
    pairs: int = 6,
    density: float = 1.0,
    reserve: float = 0.7,
) -> None:
    """A fern-like sprig that starts at `at` and points to `angle` (degrees, 0 is up)."""
    brush = Brush(sheet, Placement(*at, length / 100, angle))
    path = ribbon([(0, 0), (3, -50), (0, -100)], [3.4, 2.4, 0.8])
    for index in range(pairs):
        up = -16 - index * 80 / pairs
        size = 30 * (1 - index / pairs * 0.72)
        for side in (-1, 1):
            add_blob(
                path,
                [
                    (2, up),
                    (side * size * 0.5, up - size * 0.52),
                    (side * size, up - size * 0.62),
                    (side * size * 0.6, up - size * 0.12),
                ],
                {0, 2},
            )
    brush.wash(path, colour, density, reserve=reserve, edge=0.5, flow=0.2)


def berry_sprig(sheet: Sheet, at: Point, length: float, angle: float, colour: str) -> None:
    """A winter sprig with red berries along it."""
    leaf_sprig(sheet, at, length, angle, colour, pairs=8, reserve=1.0)
    along = (math.sin(math.radians(angle)), -math.cos(math.radians(angle)))
    for index, part in enumerate((0.42, 0.58, 0.74, 0.88)):
        side = (1 if index % 2 else -1) * length * 0.07
        x = at[0] + along[0] * length * part - along[1] * side
        y = at[1] + along[1] * length * part + along[0] * side
        sheet.wash(ellipse(x, y, 8, 8), "#c8473c", 1.0, reserve=1.0, edge=0.6)
        sheet.gouache(ellipse(x - 2.5, y - 3, 2.2, 2), "#fff2e6", 0.9, dry=0)


def flower(
    sheet: Sheet,
    at: Point,
    radius: float,
    colour: str,
    heart: str,
    stem: str | None,
    *,
    petals: int = 5,
    tall: float = 40.0,
    lean: float = 0.0,
) -> None:
    """A small open flower, with its stem if one is given."""
    x, y = at
    if stem is not None:
        sheet.wash(
            ribbon(
                [(x - lean, y + tall), (x - lean * 0.3, y + tall * 0.5), (x, y)], [2.6, 2.2, 1.8]
            ),
            stem,
            1.0,
            reserve=0.6,
            edge=0,
        )
    bloom = skia.Path()
    for index in range(petals):
        turn = 2 * math.pi * index / petals + at[0]
        bloom.addPath(
            ellipse(
                x + radius * 0.6 * math.cos(turn),
                y + radius * 0.5 * math.sin(turn),
                radius * 0.52,
                radius * 0.36,
                math.degrees(turn),
            )
        )
    sheet.wash(bloom, colour, 1.0, reserve=1.0, edge=0.7, flow=0.2)
    sheet.wash(ellipse(x, y, radius * 0.26, radius * 0.24), heart, 1.0, reserve=0.9)


def toadstool(
    sheet: Sheet, at: Point, size: float, angle: float = 0.0, cap: str = "#c8473c"
) -> None:
    """A red toadstool; `at`: its foot, size: its height, px."""
    brush = Brush(sheet, Placement(*at, size / 100, angle))
    stem = blob([(-15, 0), (-11, -30), (-12, -58), (12, -58), (11, -30), (17, 0), (0, 6)])
    brush.wash(stem, "#f7ecd8", 1.0, reserve=1.0, edge=0.4)
    brush.wash(stem, "#b79a86", 0.8, edge=0, fade=Fade((-4, 0), (20, 0), 0, 1))
    skirt = blob([(-22, -50), (0, -58), (22, -50), (14, -42), (0, -46), (-14, -42)])
    brush.wash(skirt, "#efe0c6", 1.0, reserve=1.0, edge=0.5)
    dome = blob(
        [(-56, -52), (-44, -84), (0, -106), (44, -84), (56, -52), (26, -60), (0, -62), (-26, -60)],
        {0, 4},
    )
    brush.wash(dome, cap, 1.0, reserve=1.0, edge=0.5)
    brush.wash(dome, "#6e2236", 0.8, edge=0, fade=Fade((-10, -80), (56, -56), 0, 1))
    for x, y, radius in ((-24, -76, 7.5), (6, -90, 8), (28, -70, 6.5), (-2, -70, 5), (-42, -62, 4)):
        brush.gouache(ellipse(x, y, radius, radius * 0.78), "#fff4e2", 0.92, clip=dome)
    brush.pencil(dome, "#4a2430", 2.6, strength=0.55)
    brush.pencil(stem, "#4a2430", 2.2, strength=0.4)
