"""Outlines: smooth closed forms, tapering ribbons and where they stand on the page."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import skia
from numpy.typing import NDArray

FloatPair = NDArray[np.float64]
Point = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """Moves a figure drawn about its own origin onto the page.

    x, y: where the origin lands, in page pixels; scale: factor; angle: degrees, clockwise on
    the page; flip: mirrors left and right before everything else.
    """

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    angle: float = 0.0
    flip: bool = False

    def matrix(self) -> skia.Matrix:
        """The same as a skia matrix."""
        matrix = skia.Matrix()
        matrix.setScale(-self.scale if self.flip else self.scale, self.scale)
        matrix.postRotate(self.angle)
        matrix.postTranslate(self.x, self.y)
        return matrix

    def point(self, point: Point) -> Point:
        """A point of the figure on the page."""
        mapped = self.matrix().mapXY(point[0], point[1])
        return (float(mapped.x()), float(mapped.y()))


def _signed_area(points: Sequence[Point]) -> float:
    following = [*points[1:], points[0]]
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(points, following, strict=True))


def blob(points: Sequence[Point], corners: Collection[int] = (), tension: float = 1.0) -> skia.Path:
    """A smooth closed outline through the points (Catmull-Rom, as cubic Béziers).

    corners: indices of points where the outline turns sharply. All outlines run the same way
    round, so that several in one path unite instead of cutting holes into each other.
    """
    path = skia.Path()
    add_blob(path, points, corners, tension)
    return path


def add_blob(
    path: skia.Path, points: Sequence[Point], corners: Collection[int] = (), tension: float = 1.0
) -> None:
    """Adds to a path what `blob` returns."""
    count = len(points)
    if _signed_area(points) < 0:
        points = list(reversed(points))
        corners = {count - 1 - index for index in corners}

    def tangent(index: int) -> Point:
        if index % count in corners:
            return (0.0, 0.0)
        before, after = points[(index - 1) % count], points[(index + 1) % count]
        return ((after[0] - before[0]) * tension / 6, (after[1] - before[1]) * tension / 6)

    path.moveTo(*points[0])
    for index in range(count):
        start, end = points[index], points[(index + 1) % count]
        leave, arrive = tangent(index), tangent(index + 1)
        path.cubicTo(
            start[0] + leave[0], start[1] + leave[1], end[0] - arrive[0], end[1] - arrive[1], *end
        )
    path.close()


def curve(points: Sequence[Point], steps: int = 10) -> list[Point]:
    """Points along an open Catmull-Rom curve through the given ones."""
    padded = [points[0], *points, points[-1]]
    result: list[Point] = []
    for index in range(1, len(padded) - 2):
        p0, p1, p2, p3 = (np.array(p) for p in padded[index - 1 : index + 3])
        for step in range(steps):
            t = step / steps
            value = 0.5 * (
                2 * p1
                + (p2 - p0) * t
                + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
                + (3 * p1 - p0 - 3 * p2 + p3) * t**3
            )
            result.append((float(value[0]), float(value[1])))
    result.append((float(points[-1][0]), float(points[-1][1])))
    return result


def ribbon(points: Sequence[Point], widths: Sequence[float], steps: int = 8) -> skia.Path:
    """A brush stroke along a curve; widths: full widths in pixels, spread evenly along it."""
    path = skia.Path()
    add_ribbon(path, points, widths, steps)
    return path


def add_ribbon(
    path: skia.Path, points: Sequence[Point], widths: Sequence[float], steps: int = 8
) -> None:
    """Adds to a path what `ribbon` returns."""
    spine = np.array(curve(points, steps))
    along = np.gradient(spine, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None]
    width = np.interp(
        np.linspace(0, 1, len(spine)), np.linspace(0, 1, len(widths)), np.array(widths)
    )
    left = spine + normal * width[:, None] / 2
    right = spine - normal * width[:, None] / 2
    head = _cap(spine[0], -normal[0], widths[0])
    tail = _cap(spine[-1], normal[-1], widths[-1])
    outline = [(float(x), float(y)) for x, y in [*head, *left, *tail, *right[::-1]]]
    if _signed_area(outline) < 0:
        outline.reverse()
    path.addPoly([skia.Point(*p) for p in outline], True)


def _cap(end: FloatPair, side: FloatPair, width: float) -> list[FloatPair]:
    """The round end of a ribbon: half a circle from `side` clockwise to the other side."""
    if width < 3:
        return []
    ahead = np.array([side[1], -side[0]])
    turns = np.linspace(0, math.pi, 10)[1:-1]
    return [end + (side * math.cos(t) + ahead * math.sin(t)) * width / 2 for t in turns]


def ellipse(x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> skia.Path:
    """An ellipse about (x, y) with half axes rx, ry, turned clockwise by angle degrees."""
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(-rx, -ry, rx, ry))
    return moved(path, Placement(x, y, angle=angle))


def moved(path: skia.Path, placement: Placement) -> skia.Path:
    """A copy of the path on its place."""
    result = skia.Path()
    path.transform(placement.matrix(), result)
    return result


def united(paths: Iterable[skia.Path]) -> skia.Path:
    """All outlines in one path, painted as one wash."""
    result = skia.Path()
    for path in paths:
        result.addPath(path)
    return result


def ring(rx: float, ry: float, count: int, phase: float = 0.0) -> list[Point]:
    """Points on an ellipse about the origin."""
    return [
        (
            rx * math.cos(phase + 2 * math.pi * index / count),
            ry * math.sin(phase + 2 * math.pi * index / count),
        )
        for index in range(count)
    ]
