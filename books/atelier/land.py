"""Farmland from high above: a quilt of fields, hedges, a river, tiny houses."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.shapes import Placement, Point, blob, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet


def _ground(column: float, row: float, horizon: float, size: int) -> Point:
    """A point of the land in perspective; column -1..1 across, row 0 (far) .. 1 (near)."""
    y = horizon + (size - horizon + 60) * row**1.7
    spread = size * (0.62 + 0.9 * row**1.4)
    return (
        size / 2 + column * spread + 24 * np.sin(column * 5 + row * 7),
        y + 10 * np.sin(column * 6 + row * 3),
    )


def fields(sheet: Sheet, horizon: float, colours: tuple[str, ...], haze: str, seed: int) -> None:
    """Fields in perspective, some ploughed, paler towards the horizon."""
    rng = np.random.default_rng(seed)
    rows = (0.0, 0.12, 0.25, 0.39, 0.55, 0.75, 1.0)
    page = blob(
        [
            (-20, horizon - 4),
            (sheet.size + 20, horizon - 4),
            (sheet.size + 20, sheet.size + 20),
            (-20, sheet.size + 20),
        ],
        {0, 1, 2, 3},
    )
    sheet.wash(page, colours[0], 0.9, reserve=1.0, edge=0.2)
    for row, (far, near) in enumerate(pairwise(rows)):
        cuts = np.sort(np.linspace(-1.1, 1.1, 9) + rng.normal(0, 0.03, 9))
        for left, right in pairwise(cuts):
            lean = rng.normal(0, 0.02)
            corners = [
                _ground(left, far, horizon, sheet.size),
                _ground(right, far, horizon, sheet.size),
                _ground(right + lean, near, horizon, sheet.size),
                _ground(left + lean, near, horizon, sheet.size),
            ]
            field = blob(corners, set(range(4)))
            sheet.wash(
                field,
                colours[int(rng.integers(len(colours)))],
                0.9,
                reserve=1.0,
                edge=0.55,
                flow=0.4,
                wobble=2.5,
            )
            if rng.uniform() < 0.5:
                _furrows(sheet, field, corners, row)
    veil = Fade((0, horizon), (0, horizon + 190), 1.0, 0.0)
    sheet.gouache(
        ribbon([(-20, horizon + 6), (520, horizon + 2), (1044, horizon + 8)], [46, 52, 46]),
        haze,
        0.75,
        soft=16,
    )
    sheet.wash(page, haze, 0.5, edge=0, fade=veil)


def _furrows(sheet: Sheet, field: skia.Path, corners: list[Point], row: int) -> None:
    lines = skia.Path()
    for part in np.linspace(0.1, 0.9, 7):
        top = (
            corners[0][0] + (corners[1][0] - corners[0][0]) * part,
            corners[0][1] + (corners[1][1] - corners[0][1]) * part,
        )
        end = (
            corners[3][0] + (corners[2][0] - corners[3][0]) * part,
            corners[3][1] + (corners[2][1] - corners[3][1]) * part,
        )
        lines.addPath(ribbon([top, end], [0.6 + row * 0.3, 1.2 + row * 0.6], 3))
    sheet.wash(lines, "#6f6a50", 0.4, edge=0, clip=field, wobble=2.5)


def hedges(sheet: Sheet, horizon: float, colour: str, seed: int, count: int = 80) -> None:
    """Round bushes and small trees, bigger where nearer."""
    rng = np.random.default_rng(seed)
    for row in np.sort(rng.uniform(0.04, 0.95, count)):
        x, y = _ground(float(rng.uniform(-1, 1)), float(row), horizon, sheet.size)
        size = 3 + 20 * row**1.4
        tree = skia.Path()
        for _ in range(5):
            tree.addCircle(
                x + rng.normal(0, size * 0.4),
                y - size * rng.uniform(0.3, 1.1),
                size * rng.uniform(0.4, 0.6),
            )
        sheet.wash(ellipse(x + size * 0.7, y + 1, size * 1.2, size * 0.3), "#4f5a66", 0.5, soft=1.5)
        sheet.wash(
            tree,
            colour,
            1.0,
            reserve=0.8,
            edge=0.6,
            flow=0.4,
            fade=Fade((x - size, y), (x + size, y), 0.7, 1.25),
        )


def river(sheet: Sheet, points: list[Point], widths: list[float]) -> None:
    """A river that mirrors the morning."""
    path = ribbon(points, widths)
    ends = (points[0], points[-1])
    sheet.wash(path, Blend(ends[0], ends[1], "#fbe0b8", "#9fc3cf"), 1.0, reserve=1.0, edge=0.6)
    sheet.gouache(
        ribbon([(x - 2, y) for x, y in points], [w * 0.25 for w in widths]), "#fff6e0", 0.6, dry=0.4
    )


def cottage(sheet: Sheet, at: Point, size: float, roof: str) -> None:
    """A tiny house with a lit window; `size`: its width, px."""
    brush = Brush(sheet, Placement(*at, size / 100))
    wall = blob([(-40, 0), (-40, -44), (40, -44), (40, 0)], {0, 1, 2, 3})
    gable = blob([(-54, -40), (-30, -84), (34, -84), (56, -40)], {0, 1, 2, 3})
    brush.wash(wall, "#f6e6cf", 1.0, reserve=1.0)
    brush.wash(gable, roof, 1.0, reserve=1.0, edge=0.5)
    brush.wash(
        blob([(-10, -8), (-10, -30), (12, -30), (12, -8)], {0, 1, 2, 3}),
        "#f2b84a",
        1.0,
        reserve=1.0,
    )
    brush.pencil(wall, "#6a4a44", 3.0, strength=0.5)
    brush.pencil(gable, "#6a4a44", 3.0, strength=0.5)
