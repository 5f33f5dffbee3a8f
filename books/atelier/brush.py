"""Paints a figure that was designed about its own origin."""

from __future__ import annotations

from collections.abc import Sequence

import skia

from books.atelier.shapes import Placement, Point, moved
from books.atelier.sheet import Blend, Fade, Pigment, Sheet


class Brush:
    """Paints a figure given about its own origin: places outlines and scales widths."""

    def __init__(self, sheet: Sheet, placement: Placement) -> None:
        self.sheet = sheet
        self.placement = placement

    def wash(
        self,
        path: skia.Path,
        colour: Pigment,
        density: float = 1.0,
        *,
        edge: float = 0.35,
        flow: float = 0.2,
        soft: float = 0.0,
        wobble: float = 0.7,
        reserve: float = 0.0,
        clip: skia.Path | None = None,
        fade: Fade | None = None,
    ) -> None:
        """`Sheet.wash` in the figure's own coordinates."""
        self.sheet.wash(
            moved(path, self.placement),
            self._pigment(colour),
            density,
            edge=edge,
            flow=flow,
            soft=soft * self.placement.scale,
            wobble=wobble,
            reserve=reserve,
            clip=None if clip is None else moved(clip, self.placement),
            fade=None if fade is None else self._fade(fade),
        )

    def gouache(
        self,
        path: skia.Path,
        colour: Pigment,
        opacity: float = 0.9,
        *,
        soft: float = 0.0,
        dry: float = 0.15,
        clip: skia.Path | None = None,
    ) -> None:
        """`Sheet.gouache` in the figure's own coordinates."""
        self.sheet.gouache(
            moved(path, self.placement),
            self._pigment(colour),
            opacity,
            soft=soft * self.placement.scale,
            dry=dry,
            wobble=0.7,
            clip=None if clip is None else moved(clip, self.placement),
        )

    def pencil(
        self,
        path: skia.Path,
        colour: str = "#4a3a40",
        width: float = 2.0,
        *,
        strength: float = 0.7,
        clip: skia.Path | None = None,
    ) -> None:
        """`Sheet.pencil` in the figure's own coordinates."""
        self.sheet.pencil(
            moved(path, self.placement),
            colour,
            width * self.placement.scale,
            strength=strength,
            wobble=0.7,
            clip=None if clip is None else moved(clip, self.placement),
        )

    def stroke(
        self,
        points: Sequence[Point],
        widths: Sequence[float],
        colour: str = "#4a3a40",
        *,
        strength: float = 0.8,
    ) -> None:
        """A swelling pencil line in the figure's own coordinates."""
        scaled = [width * self.placement.scale for width in widths]
        self.sheet.stroke(
            [self.placement.point(p) for p in points], scaled, colour, strength=strength
        )

    def _pigment(self, colour: Pigment) -> Pigment:
        if isinstance(colour, str):
            return colour
        start, end = self.placement.point(colour.start), self.placement.point(colour.end)
        return Blend(start, end, colour.first, colour.second, colour.radial)

    def _fade(self, fade: Fade) -> Fade:
        start, end = self.placement.point(fade.start), self.placement.point(fade.end)
        return Fade(start, end, fade.first, fade.second, fade.radial)
