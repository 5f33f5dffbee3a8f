"""Skies: graded washes, clouds, moon and stars."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import skia

from books.atelier.shapes import Placement, Point, add_blob, blob, ellipse, moved, ribbon
from books.atelier.sheet import Blend, Fade, Sheet


def rectangle(left: float, top: float, right: float, bottom: float) -> skia.Path:
    """A plain rectangle, page pixels."""
    path = skia.Path()
    path.addRect(skia.Rect.MakeLTRB(left, top, right, bottom))
    return path


def graded(sheet: Sheet, top: str, bottom: str, until: float, *, flow: float = 0.16) -> None:
    """Two coats over the whole sheet from one colour at the top to another at `until`."""
    page = rectangle(0, 0, sheet.size, sheet.size)
    sheet.wash(page, Blend((0, 0), (0, until), top, bottom), 0.75, edge=0, flow=flow, wobble=0)
    sheet.wash(page, Blend((0, 0), (0, until), top, bottom), 0.4, edge=0, flow=flow, wobble=0)


def cloud_outline(rng: np.random.Generator, width: float, height: float) -> skia.Path:
    """A heap of round puffs on a flat base, about the middle of its base."""
    path = skia.Path()
    count = max(4, int(width / 42))
    for index in range(count):
        along = (index + 0.5) / count * 2 - 1
        rise = height * (1 - along * along) ** 0.7 * rng.uniform(0.7, 1.1)
        radius = max(rise * 0.62, height * 0.22)
        path.addCircle(along * width * 0.44, -rise * 0.45, radius)
    base = [
        (-width / 2, 0.0),
        (-width * 0.3, -height * 0.35),
        (width * 0.3, -height * 0.35),
        (width / 2, 0.0),
        (width * 0.2, height * 0.12),
        (-width * 0.25, height * 0.1),
    ]
    add_blob(path, base)
    return path


def cloud(
    sheet: Sheet,
    at: Point,
    width: float,
    height: float,
    seed: int,
    *,
    colour: str = "#f6efe6",
    shadow: str = "#9aa6c0",
    opacity: float = 0.75,
    light: Point = (-0.4, -1.0),
) -> None:
    """A soft cloud: lifted lights, a glazed shadow below."""
    rng = np.random.default_rng(seed)
    outline = moved(cloud_outline(rng, width, height), Placement(*at))
    sheet.gouache(outline, colour, opacity, soft=3.0, dry=0.12, wobble=3.0)
    low = Fade(
        (at[0] - light[0] * 10, at[1] - height * 0.7), (at[0] - light[0] * 30, at[1] + 6), 0, 1
    )
    sheet.wash(outline, shadow, 0.75, soft=3.0, wobble=3.0, fade=low, flow=0.3)
    for _ in range(max(3, int(width / 60))):
        x = at[0] + rng.uniform(-0.36, 0.36) * width
        y = at[1] - rng.uniform(0.25, 0.75) * height * (1 - abs(x - at[0]) / width * 1.6)
        puff = ellipse(
            x, y, rng.uniform(0.10, 0.2) * height + 8, rng.uniform(0.10, 0.18) * height + 6
        )
        sheet.gouache(puff, colour, 0.4, soft=7, clip=outline)


def mist(sheet: Sheet, y: float, height: float, colour: str, strength: float, seed: int) -> None:
    """A band of mist: soft pale gouache in drifting lenses."""
    rng = np.random.default_rng(seed)
    for _ in range(7):
        x = rng.uniform(-60, sheet.size + 60)
        lens = ellipse(x, y + rng.normal(0, height * 0.3), rng.uniform(140, 320), height * 0.4)
        sheet.gouache(lens, colour, strength * rng.uniform(0.5, 1), soft=height * 0.35, dry=0.05)


def moon(sheet: Sheet, at: Point, radius: float, *, glow: str = "#8fb0d8") -> None:
    """A full moon: paper left bare, a few pale seas, light around it."""
    sheet.glow(at, radius * 2.9, glow, 0.55, 1.3)
    sheet.glow(at, radius * 1.45, "#f3e6c6", 0.7, 2.2)
    disk = ellipse(*at, radius, radius)
    sheet.gouache(disk, "#fffcf4", 1.0, dry=0.0, wobble=0.5)
    lit = (at[0] - radius * 0.35, at[1] - radius * 0.35)
    far = (at[0] + radius * 0.75, at[1] + radius * 0.75)
    sheet.wash(
        disk, Blend(lit, far, "#fffaea", "#f4dca6", True), 1.0, edge=0.25, flow=0.15, wobble=0.5
    )
    seas = (
        (-0.35, -0.15, 0.34, 0.24, 20),
        (0.22, 0.2, 0.40, 0.27, -30),
        (0.36, -0.38, 0.2, 0.15, 0),
        (-0.22, 0.5, 0.25, 0.14, 10),
        (-0.05, -0.55, 0.2, 0.1, -12),
    )
    for x, y, rx, ry, angle in seas:
        sea = ellipse(at[0] + x * radius, at[1] + y * radius, rx * radius, ry * radius, angle)
        sheet.wash(sea, "#e3c79c", 0.55, soft=radius * 0.07, clip=disk, wobble=5, flow=0.5)


def star_outline(at: Point, radius: float, angle: float = 0.0, points: int = 5) -> skia.Path:
    """A soft-cornered star."""
    corners = []
    for index in range(points * 2):
        reach = radius if index % 2 == 0 else radius * 0.5
        turn = math.radians(angle - 90) + math.pi * index / points
        corners.append((at[0] + reach * math.cos(turn), at[1] + reach * math.sin(turn)))
    return blob(corners, tension=0.7)


def sparkle(sheet: Sheet, at: Point, radius: float, colour: str = "#fff6d8") -> None:
    """A four-pointed twinkle with a little halo."""
    sheet.glow(at, radius * 1.1, "#c8d8f0", 0.4, 1.5)
    x, y = at
    thin = radius * 0.1
    rays = blob(
        [
            (x, y - radius),
            (x + thin, y - thin),
            (x + radius * 0.7, y),
            (x + thin, y + thin),
            (x, y + radius),
            (x - thin, y + thin),
            (x - radius * 0.7, y),
            (x - thin, y - thin),
        ],
        set(range(8)),
    )
    sheet.gouache(rays, colour, 1.0, dry=0, wobble=0.4)
    sheet.gouache(ellipse(x, y, radius * 0.2, radius * 0.2), "#ffffff", 1.0, dry=0)


def stars(
    sheet: Sheet,
    area: tuple[float, float, float, float],
    count: int,
    seed: int,
    avoid: list[tuple[float, float, float]],
) -> None:
    """Spattered stars of several sizes; avoid: (x, y, radius) circles to keep clear."""
    rng = np.random.default_rng(seed)
    dots, faint = skia.Path(), skia.Path()
    for index in range(count):
        x, y = rng.uniform(area[0], area[2]), rng.uniform(area[1], area[3])
        if any(math.hypot(x - ax, y - ay) < radius for ax, ay, radius in avoid):
            continue
        if index % 13 == 0:
            sparkle(sheet, (x, y), rng.uniform(9, 15))
        elif index % 3 == 0:
            dots.addCircle(x, y, rng.uniform(1.4, 2.4))
        else:
            faint.addCircle(x, y, rng.uniform(0.7, 1.4))
    sheet.gouache(dots, "#fff6dc", 0.95, dry=0, wobble=0.5)
    sheet.gouache(faint, "#dfe8f6", 0.75, dry=0, wobble=0.5)


def shooting_star(sheet: Sheet, start: Point, end: Point, width: float = 9.0) -> None:
    """A bright trail that falls from `start` and ends in a spark at `end`."""
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 - 16)
    for wide, colour, strength, soft in (
        (width * 2.6, "#f0b64c", 0.4, width),
        (width, "#fff2bc", 0.9, 1.2),
    ):
        sheet.gouache(
            ribbon([start, middle, end], [0.6, wide * 0.5, wide]),
            colour,
            strength,
            soft=soft,
            dry=0,
        )
    sheet.glow(end, width * 5, "#f8d878", 0.7, 1.5)
    sparkle(sheet, end, width * 3.4, "#fff4c4")


def wind(sheet: Sheet, at: Point, length: float, colour: str, *, flip: bool = False) -> None:
    """A gust that ends in a curl."""
    way = -1 if flip else 1
    x, y = at
    curl = [
        (x, y),
        (x + way * length * 0.35, y - length * 0.06),
        (x + way * length * 0.72, y + length * 0.02),
        (x + way * length * 0.94, y - length * 0.06),
        (x + way * length * 0.96, y - length * 0.18),
        (x + way * length * 0.84, y - length * 0.2),
        (x + way * length * 0.81, y - length * 0.12),
    ]
    sheet.gouache(ribbon(curl, [0.6, 5, 6.5, 5, 4, 3, 1]), colour, 0.7, dry=0.4)


def fireflies(sheet: Sheet, places: Sequence[Point], size: float = 1.0) -> None:
    """Small golden lights."""
    for at in places:
        sheet.glow(at, 12 * size, "#f8e08a", 0.75, 1.4)
        sheet.gouache(ellipse(*at, 2.8 * size, 2.8 * size), "#fffbe0", 1.0, dry=0)
