"""A sheet of watercolour paper: transparent washes, gouache, pencil and light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import skia

from books.atelier.paper import WHITE, FloatImage, Paper, make_paper
from books.atelier.shapes import Point, ribbon

Box = tuple[int, int, int, int]
"""left, top, right, bottom in page pixels; right and bottom excluded."""


@dataclass(frozen=True)
class Blend:
    """Two pigments that run into each other between two points, or from a centre outwards.

    radial: `start` is the centre and `end` a point on the outer circle.
    """

    start: Point
    end: Point
    first: str
    second: str
    radial: bool = False


@dataclass(frozen=True)
class Fade:
    """A wash diluted along a line: `first` and `second` multiply its density."""

    start: Point
    end: Point
    first: float
    second: float
    radial: bool = False


Pigment = str | Blend


def rgb(colour: str) -> FloatImage:
    """ "#rrggbb" as three floats 0..1, kept off zero so that its logarithm exists."""
    values = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    return np.asarray(np.clip(values, 0.01, 1.0), dtype=np.float32)


class Sheet:
    """What has been painted so far.

    canvas: HxWx3 float32 RGB reflectance 0..1. Pigment multiplies it: a colour is what one
    coat leaves of white paper, density 2 is two coats (Beer-Lambert law per channel).
    footprint: where a figure was painted since `follow_figure`, HxW float32 0..1.
    """

    def __init__(self, seed: int, size: int = 1024) -> None:
        self.size = size
        self.paper: Paper = make_paper(seed, size)
        self.canvas: FloatImage = np.ones((size, size, 3), dtype=np.float32) * WHITE
        self.footprint: FloatImage | None = None
        self._coats = 0

    def copy(self) -> Sheet:
        """A second sheet with the same paper and the same paint."""
        twin = Sheet.__new__(Sheet)
        twin.size, twin.paper, twin._coats = self.size, self.paper, self._coats
        twin.canvas = self.canvas.copy()
        twin.footprint = None
        return twin

    def restart_coats(self, number: int) -> None:
        """Makes later coats look the same on two sheets that got a different number before."""
        self._coats = number

    def follow_figure(self) -> None:
        """From now on, notes where paint goes."""
        self.footprint = np.zeros((self.size, self.size), dtype=np.float32)

    def wash(
        self,
        path: skia.Path,
        colour: Pigment,
        density: float = 1.0,
        *,
        edge: float = 0.35,
        flow: float = 0.2,
        grain: float = 0.06,
        soft: float = 0.0,
        wobble: float = 1.0,
        reserve: float = 0.0,
        clip: skia.Path | None = None,
        fade: Fade | None = None,
    ) -> None:
        """One wash.

        edge: pigment that gathers at the rim; flow: uneven wetness; grain: pigment in the
        paper's tooth; soft: how far it bleeds into wet paper, px; wobble: unsteadiness of the
        hand, px; reserve: 1 keeps the paper white beneath (as masking fluid would), 0 glazes
        over what is there; clip: paints only inside this outline.
        """
        found = self._cover(path, soft, wobble, clip)
        if found is None:
            return
        cover, box = found
        load = cover * density
        if edge and not soft:
            rim = np.clip(cover - cv2.GaussianBlur(cover, (0, 0), 4.0), 0, 1) * 2
            load *= 1 + edge * rim * (1 + 0.5 * self._field("mottle", box))
        load *= np.clip(
            1 + flow * self._field("flow", box) + grain * self._field("tooth", box), 0.45, 3
        )
        if fade is not None:
            mix = _mix(box, fade.start, fade.end, fade.radial)
            load *= fade.first + (fade.second - fade.first) * mix
        patch = self._patch(box)
        if reserve:
            patch += (WHITE - patch) * (reserve * cover)[..., None]
        patch *= np.exp(load[..., None] * _log_pigment(colour, box))
        self._coats += 1

    def gouache(
        self,
        path: skia.Path,
        colour: Pigment,
        opacity: float = 0.9,
        *,
        soft: float = 0.0,
        dry: float = 0.25,
        wobble: float = 1.0,
        clip: skia.Path | None = None,
    ) -> None:
        """Opaque paint on top; dry: how much the paper's tooth breaks it up."""
        found = self._cover(path, soft, wobble, clip)
        if found is None:
            return
        cover, box = found
        alpha = cover * opacity * np.clip(1 - dry * (0.5 + self._field("tooth", box)), 0, 1)
        patch = self._patch(box)
        patch += (np.exp(_log_pigment(colour, box)) - patch) * alpha[..., None]
        self._coats += 1

    def pencil(
        self,
        path: skia.Path,
        colour: str = "#4a3a40",
        width: float = 2.0,
        *,
        strength: float = 0.7,
        wobble: float = 1.0,
        clip: skia.Path | None = None,
    ) -> None:
        """A coloured-pencil line along the path, broken by the paper and the hand's pressure."""
        outline = skia.Path()
        pen = skia.Paint(Style=skia.Paint.kStroke_Style, StrokeWidth=width)
        pen.setStrokeCap(skia.Paint.kRound_Cap)
        pen.setStrokeJoin(skia.Paint.kRound_Join)
        pen.getFillPath(path, outline)
        self._draw(outline, colour, strength, wobble, clip)

    def stroke(
        self,
        points: Sequence[Point],
        widths: Sequence[float],
        colour: str = "#4a3a40",
        *,
        strength: float = 0.8,
        clip: skia.Path | None = None,
    ) -> None:
        """A pencil line that swells and tapers."""
        self._draw(ribbon(points, widths), colour, strength, 1.0, clip)

    def _draw(
        self, path: skia.Path, colour: str, strength: float, wobble: float, clip: skia.Path | None
    ) -> None:
        found = self._cover(path, 0.0, wobble, clip)
        if found is None:
            return
        cover, box = found
        pressure = 0.85 + 0.25 * self._field("tooth", box) + 0.15 * self._field("flow", box)
        bite = np.clip(pressure, 0.45, 1)
        alpha = cover * strength * bite
        patch = self._patch(box)
        patch *= np.exp(alpha[..., None] * np.log(rgb(colour)))
        self._coats += 1

    def glow(
        self,
        centre: Point,
        radius: float,
        colour: str,
        strength: float = 0.6,
        power: float = 2.0,
        *,
        tint: float = 0.0,
    ) -> None:
        """Light that a lamp or the moon sheds: brightens, never beyond white.

        radius: where it has fallen to about a third, px; tint: 0..1, how far bright ground takes
        on the colour instead. Light is not part of a figure.
        """
        reach = radius * 3.0
        box = self._box(
            (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)
        )
        if box is None:
            return
        ys, xs = np.mgrid[box[1] : box[3], box[0] : box[2]].astype(np.float32)
        distance = np.hypot(xs - centre[0], ys - centre[1]) / radius
        fall = np.exp(-(distance**power)) * strength * (1 + 0.05 * self._field("flow", box))
        patch = self._patch(box)
        light = np.clip(fall, 0, 1)[..., None]
        lit = 1 - (1 - patch) * (1 - light * rgb(colour))
        patch[...] = lit * (1 + tint * light * (rgb(colour) - 1))

    def _patch(self, box: Box) -> FloatImage:
        return self.canvas[box[1] : box[3], box[0] : box[2]]

    def _field(self, name: str, box: Box) -> FloatImage:
        field: FloatImage = getattr(self.paper, name)
        if name == "tooth":
            dx = dy = 0
        else:
            dx, dy = (self._coats * 197) % 509, (self._coats * 263) % 509
        return field[box[1] + dy : box[3] + dy, box[0] + dx : box[2] + dx]

    def _box(self, bounds: tuple[float, float, float, float]) -> Box | None:
        left, top = max(int(bounds[0]), 0), max(int(bounds[1]), 0)
        right, bottom = min(int(bounds[2]) + 1, self.size), min(int(bounds[3]) + 1, self.size)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _cover(
        self, path: skia.Path, soft: float, wobble: float, clip: skia.Path | None
    ) -> tuple[FloatImage, Box] | None:
        bounds = path.computeTightBounds()
        margin = 3 * soft + 4 * wobble + 4
        box = self._box(
            (
                bounds.left() - margin,
                bounds.top() - margin,
                bounds.right() + margin,
                bounds.bottom() + margin,
            )
        )
        if box is None:
            return None
        cover = self._wobbled(_raster(path, box), box, wobble)
        if soft:
            cover = np.asarray(cv2.GaussianBlur(cover, (0, 0), soft), dtype=np.float32)
            feather = 1.6 * cover * (1 - cover) * self._field("mottle", box)
            cover = np.clip(cover * (1 + 0.3 * feather), 0, 1)
        if clip is not None:
            cover = cover * self._wobbled(_raster(clip, box), box, wobble)
        if self.footprint is not None:
            trace = self.footprint[box[1] : box[3], box[0] : box[2]]
            np.maximum(trace, cover, out=trace)
        return cover, box

    def _wobbled(self, cover: FloatImage, box: Box, wobble: float) -> FloatImage:
        if not wobble:
            return cover
        left, top, right, bottom = box
        ys, xs = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
        xs += wobble * self.paper.drift_x[top:bottom, left:right]
        ys += wobble * self.paper.drift_y[top:bottom, left:right]
        moved_cover = cv2.remap(cover, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved_cover, dtype=np.float32)


def _raster(path: skia.Path, box: Box) -> FloatImage:
    width, height = box[2] - box[0], box[3] - box[1]
    pixels = np.zeros((height, width), dtype=np.uint8)
    surface = skia.Surface.MakeRasterDirect(skia.ImageInfo.MakeA8(width, height), pixels, width)
    canvas = surface.getCanvas()
    canvas.translate(-box[0], -box[1])
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(pixels / np.float32(255), dtype=np.float32)


def _mix(box: Box, start: Point, end: Point, radial: bool) -> FloatImage:
    ys, xs = np.mgrid[box[1] : box[3], box[0] : box[2]].astype(np.float32)
    along = (end[0] - start[0], end[1] - start[1])
    length = max(float(np.hypot(*along)), 1e-6)
    if radial:
        mix = np.hypot(xs - start[0], ys - start[1]) / length
    else:
        mix = ((xs - start[0]) * along[0] + (ys - start[1]) * along[1]) / length**2
    mix = np.clip(mix, 0, 1)
    return np.asarray(mix * mix * (3 - 2 * mix), dtype=np.float32)


def _log_pigment(colour: Pigment, box: Box) -> FloatImage:
    if isinstance(colour, str):
        return np.asarray(np.log(rgb(colour)), dtype=np.float32)
    mix = _mix(box, colour.start, colour.end, colour.radial)[..., None]
    first, second = np.log(rgb(colour.first)), np.log(rgb(colour.second))
    return np.asarray(first + (second - first) * mix, dtype=np.float32)
