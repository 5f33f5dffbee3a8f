"""Still water: its surface, ripples, mirrored light, lilies and reeds."""

from __future__ import annotations

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, Point, add_ribbon, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet
from books.atelier.sky import rectangle


def surface(sheet: Sheet, horizon: float, far: str, near: str) -> skia.Path:
    """Water from the horizon to the foot of the sheet; returns its outline."""
    path = rectangle(-10, horizon, sheet.size + 10, sheet.size + 10)
    blend = Blend((0, horizon), (0, sheet.size * 0.96), far, near)
    sheet.wash(path, blend, 0.8, reserve=1.0, edge=0, flow=0.14, wobble=0.6)
    sheet.wash(path, blend, 0.35, edge=0, flow=0.4, wobble=0.6)
    return path


def _ripple_path(
    rng: np.random.Generator, x: float, y: float, long: float, thick: float
) -> skia.Path:
    bend = rng.uniform(-0.12, 0.12) * long * 0.2
    return ribbon(
        [(x - long / 2, y), (x, y + bend), (x + long / 2, y + bend * 0.3)], [0.5, thick, 0.5], 6
    )


def ripples(
    sheet: Sheet,
    area: tuple[float, float, float, float],
    count: int,
    colour: str,
    seed: int,
    *,
    light: bool = False,
    strength: float = 0.5,
) -> None:
    """Horizontal strokes that lengthen and thicken towards the viewer."""
    rng = np.random.default_rng(seed)
    path = skia.Path()
    for _ in range(count):
        nearness = rng.uniform(0, 1) ** 1.1
        y = area[1] + (area[3] - area[1]) * nearness
        x = rng.uniform(area[0], area[2])
        long = rng.uniform(0.5, 1.2) * (34 + 120 * nearness)
        path.addPath(_ripple_path(rng, x, y, long, 1.4 + 5 * nearness))
    if light:
        sheet.gouache(path, colour, strength, dry=0.5)
    else:
        sheet.wash(path, colour, strength, edge=0.1, flow=0.4)


def mirrored_moon(
    sheet: Sheet, x: float, top: float, bottom: float, width: float, seed: int
) -> None:
    """The moon's road on the water: broken strokes, wide and dense where it is brightest."""
    rng = np.random.default_rng(seed)
    sheet.glow((x, top + (bottom - top) * 0.35), width * 1.3, "#f0dca4", 0.35, 1.6)
    path = skia.Path()
    y = top
    while y < bottom:
        part = (y - top) / (bottom - top)
        for _ in range(2 if part < 0.7 else 1):
            spread = width * (0.45 + 0.75 * part)
            at = x + rng.normal(0, spread * 0.22)
            path.addPath(_ripple_path(rng, at, y, spread * rng.uniform(0.5, 1.2), 2.2 + 6 * part))
        y += 7 + 14 * part
    sheet.gouache(path, "#fdf0c8", 0.82, dry=0.3)


def second_moon(sheet: Sheet, at: Point, radius: float, seed: int) -> None:
    """The moon's picture in calm water: a disk cut into wavering bands."""
    rng = np.random.default_rng(seed)
    sheet.glow(at, radius * 1.5, "#e8d49c", 0.4, 1.8)
    bands = skia.Path()
    y = -radius
    while y < radius:
        thick = rng.uniform(7, 12)
        half = max(radius**2 - (y + thick / 2) ** 2, 9.0) ** 0.5 + rng.uniform(-3, 9)
        shift = rng.normal(0, 3.5)
        left, right = at[0] - half + shift, at[0] + half + shift
        row = at[1] + y + thick / 2
        bands.addPath(
            ribbon(
                [
                    (left, row),
                    (left + half * 0.5, row - 1),
                    (right - half * 0.5, row + 1),
                    (right, row),
                ],
                [1.0, thick, thick, 1.0],
                5,
            )
        )
        y += thick + rng.uniform(-0.5, 2.6)
    sheet.gouache(bands, "#fbeec6", 0.9, dry=0.15)
    sheet.wash(bands, "#d8bd88", 0.35, edge=0.2, flow=0.5)


def lily_pad(sheet: Sheet, at: Point, rx: float, colour: str, notch: float, seed: int) -> None:
    """A floating leaf; notch: where its slit points, degrees."""
    rng = np.random.default_rng(seed)
    brush = Brush(sheet, Placement(*at, rx / 100, 0))
    sheet.wash(ellipse(at[0] + 3, at[1] + rx * 0.11, rx * 1.02, rx * 0.36), "#1d3a52", 0.7, soft=3)
    points: list[Point] = []
    for turn in np.radians(np.linspace(notch + 13, notch + 347, 18)):
        wave = rng.uniform(0.95, 1.03)
        points.append((100 * wave * float(np.cos(turn)), 36 * wave * float(np.sin(turn))))
    pad = blob([*points, (0.0, 0.0)], {0, 17, 18})
    brush.wash(pad, colour, 1.0, reserve=1.0, edge=0.5, flow=0.4)
    brush.wash(pad, "#2f5560", 0.7, edge=0, fade=Fade((-60, -20), (90, 40), 0, 1))
    veins = skia.Path()
    for turn in np.radians(np.linspace(notch + 40, notch + 320, 8)):
        add_ribbon(
            veins,
            [
                (0, 0),
                (46 * float(np.cos(turn)), 17 * float(np.sin(turn))),
                (88 * float(np.cos(turn)), 31 * float(np.sin(turn))),
            ],
            [2.2, 1.6, 0.6],
        )
    brush.gouache(veins, "#c9dcb8", 0.4)


def water_lily(sheet: Sheet, at: Point, size: float, tint: str = "#f2c6cf") -> None:
    """An open water lily, `size` px from the middle to the petals' tips."""
    brush = Brush(sheet, Placement(*at, size / 50, 0))
    for angles, long, lift in (
        ((-80, -50, 50, 80), 52, 4),
        ((-62, -30, 0, 30, 62), 46, 0),
        ((-40, -14, 14, 40), 34, -4),
    ):
        for angle in angles:
            turn = np.radians(angle)
            tip = (long * float(np.sin(turn)), -long * 0.86 * float(np.cos(turn)) + 8 - lift)
            side = (11 * float(np.cos(turn)), 11 * float(np.sin(turn)) * 0.6)
            half = (tip[0] * 0.55, tip[1] * 0.55 + 3)
            petal = blob(
                [
                    (0, 12),
                    (half[0] - side[0], half[1] - side[1]),
                    tip,
                    (half[0] + side[0], half[1] + side[1]),
                ],
                {0, 2},
            )
            brush.wash(petal, Blend((0, 14), tip, tint, "#fffaf2"), 1.0, reserve=1.0, edge=0.9)
            brush.pencil(petal, "#9a6a7c", 1.1, strength=0.4)
    brush.wash(ellipse(0, 2, 9, 6), "#eab948", 1.0, reserve=1.0, edge=0.6)


def reeds(
    sheet: Sheet,
    span: tuple[float, float],
    foot: float,
    height: float,
    seed: int,
    *,
    count: int = 9,
    colour: str = "#2d5360",
) -> None:
    """Bulrushes with their leaves."""
    rng = np.random.default_rng(seed)
    leaves, stems, heads = skia.Path(), skia.Path(), skia.Path()
    for index in range(count):
        x = rng.uniform(*span)
        tall = height * rng.uniform(0.6, 1.0)
        lean = rng.normal(0, 0.07) * tall
        for _ in range(2):
            bend = rng.normal(0, 0.22) * tall
            add_ribbon(
                leaves,
                [(x, foot), (x + bend * 0.3, foot - tall * 0.5), (x + bend, foot - tall * 0.85)],
                [8, 7, 0.7],
            )
        if index % 2 == 0:
            top = (x + lean, foot - tall)
            add_ribbon(
                stems, [(x, foot), (x + lean * 0.4, foot - tall * 0.5), top], [4.2, 3.4, 2.6]
            )
            heads.addPath(ellipse(top[0] + lean * 0.04, top[1], 7.5, 30, lean / tall * 60))
    sheet.wash(leaves, colour, 1.0, reserve=0.95, edge=0.3, flow=0.5)
    sheet.wash(stems, colour, 1.2, reserve=0.95, edge=0)
    sheet.wash(heads, "#74503c", 1.2, reserve=1.0, edge=0.6, flow=0.3)
