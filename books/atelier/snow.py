"""Winter: drifts, footprints, falling flakes and a small fallen star."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import skia

from books.atelier.brush import Brush
from books.atelier.plants import ridge
from books.atelier.shapes import Point, ellipse, ribbon
from books.atelier.sheet import Blend, Fade, Sheet
from books.atelier.sky import sparkle, star_outline


def drift(
    sheet: Sheet, heights: list[float], shadow: str, seed: int, *, depth: float = 240.0
) -> skia.Path:
    """A bank of snow: bare paper on its crest, blue shade in its hollows; returns its outline."""
    path = ridge(sheet, heights)
    top = min(heights)
    blend = Blend((0, top), (0, top + depth), "#f4f6fc", shadow)
    sheet.wash(path, blend, 0.9, reserve=1.0, edge=0.25, flow=0.15, wobble=2.5)
    rng = np.random.default_rng(seed)
    for _ in range(7):
        x, y = float(rng.uniform(-40, sheet.size + 40)), float(rng.uniform(top + 30, top + depth))
        hollow = ribbon(
            [(x - 160, y + 14), (x, y), (x + 190, y + 20)], [2, float(rng.uniform(14, 34)), 2]
        )
        sheet.wash(hollow, shadow, 0.45, soft=9, clip=path, wobble=3, flow=0.4)
    glints = skia.Path()
    for _ in range(70):
        glints.addCircle(
            float(rng.uniform(0, sheet.size)),
            float(rng.uniform(top, top + depth * 1.4)),
            float(rng.uniform(0.7, 1.6)),
        )
    sheet.gouache(glints, "#ffffff", 0.9, dry=0, clip=path)
    return path


def footprints(sheet: Sheet, trail: list[Point], size: float, colour: str = "#7f93c4") -> None:
    """Steps in the snow, left and right of a trail; nearer ones are larger."""
    for index, (x, y) in enumerate(trail):
        near = size * (0.4 + 0.6 * y / sheet.size)
        step = ellipse(
            x + (near * 0.7 if index % 2 else -near * 0.7), y, near * 0.62, near * 0.3, 8
        )
        sheet.wash(
            step,
            colour,
            0.8,
            edge=0.7,
            fade=Fade((0, y - near * 0.3), (0, y + near * 0.3), 1.1, 0.3),
        )


def flakes(
    sheet: Sheet,
    count: int,
    seed: int,
    sizes: tuple[float, float],
    keep_clear: tuple[Point, float],
    *,
    opacity: float = 0.85,
    soft: float = 0.0,
) -> None:
    """Falling flakes; keep_clear: a circle (the face) that none may cover."""
    rng = np.random.default_rng(seed)
    path = skia.Path()
    (cx, cy), radius = keep_clear
    for _ in range(count):
        x, y = float(rng.uniform(20, sheet.size - 20)), float(rng.uniform(20, sheet.size - 20))
        size = float(rng.uniform(*sizes))
        if np.hypot(x - cx, y - cy) > radius + size:
            path.addPath(ellipse(x, y, size, size * rng.uniform(0.8, 1.0)))
    sheet.gouache(path, "#ffffff", opacity, soft=soft, dry=0.1, wobble=0.8)


def small_star(brush: Brush, at: Point, radius: float, *, face: bool = True) -> None:
    """The fallen star, about the size of an apple, with a shy face."""
    x, y = at
    outline = star_outline(at, radius, 6)
    brush.wash(
        outline, Blend((x, y), (x, y + radius), "#fffbe0", "#f7c752", True), reserve=1.0, edge=0.4
    )
    brush.pencil(outline, "#b4742c", radius * 0.045, strength=0.7)
    if not face:
        return
    for side in (-1, 1):
        eye = ellipse(x + side * radius * 0.2, y - radius * 0.04, radius * 0.065, radius * 0.1)
        brush.wash(eye, "#5a3420", 1.3, reserve=1.0, edge=0)
        brush.wash(
            ellipse(x + side * radius * 0.34, y + radius * 0.14, radius * 0.12, radius * 0.08),
            "#f08a60",
            0.7,
            soft=radius * 0.03,
        )
    smile = [
        (x - radius * 0.1, y + radius * 0.13),
        (x, y + radius * 0.2),
        (x + radius * 0.1, y + radius * 0.13),
    ]
    brush.stroke(smile, [radius * 0.02, radius * 0.05, radius * 0.02], "#6a3a20")


def star_light(sheet: Sheet, at: Point, reach: float, strength: float = 1.0) -> None:
    """Golden light that fills a hollow in the snow."""
    sheet.glow(at, reach, "#e0982c", 0.40 * strength, 1.3, tint=0.75)
    sheet.glow(at, reach * 0.5, "#f8cc60", 0.6 * strength, 1.4, tint=0.6)
    sheet.glow(at, reach * 0.18, "#fff6d0", 0.9 * strength, 1.6)


def twinkles(sheet: Sheet, places: Sequence[tuple[float, float, float]]) -> None:
    """Golden twinkles, each (x, y, radius)."""
    for x, y, radius in places:
        sparkle(sheet, (x, y), radius, "#fff0b4")
