"""From a scene to the three pictures of a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import cv2
import numpy as np

from books.atelier.paper import ByteImage, FloatImage, scan
from books.atelier.quiet import quieten
from books.atelier.shapes import Placement
from books.atelier.sheet import Sheet
from books.model import FaceOpening, TextBox

_FINE = 31
"""Foreground narrower than this stays within the person's mask, px."""

_FACE_HEIGHT = 220.0
"""Height of the face opening in the child's own units."""

_AROUND_FIGURE = 61
"""The figure's surroundings that no quiet area may touch, px."""

Painter = Callable[[Sheet, Placement], None]
"""Paints one part of a scene. It gets the sheet and the place of the child's face."""

_P = ParamSpec("_P")


def part(
    paint: Callable[Concatenate[Sheet, _P], object], *args: _P.args, **kwargs: _P.kwargs
) -> Painter:
    """A part that stands where it stands, wherever the child is."""

    def painter(sheet: Sheet, child: Placement) -> None:
        del child
        paint(sheet, *args, **kwargs)

    return painter


@dataclass(frozen=True)
class Scene:
    """A page in three layers of parts, painted one over the other.

    backdrop: everything behind the child, and its shadow on the ground; hero: the child and
    what it holds; foreground: what stands before the child.
    """

    seed: int
    backdrop: Sequence[Painter]
    hero: Sequence[Painter]
    foreground: Sequence[Painter] = ()


@dataclass(frozen=True)
class PageArt:
    """background and character: HxWx3 uint8 RGB; person_mask: HxW uint8, 255 is the child.

    Where the mask is 0 both pictures are equal.
    """

    background: ByteImage
    character: ByteImage
    person_mask: ByteImage


def child_placement(face: FaceOpening) -> Placement:
    """Where the child stands so that its face opening is the page's."""
    return Placement(face.center_x, face.center_y, face.height / _FACE_HEIGHT, face.angle)


def paint_page(scene: Scene, face: FaceOpening, boxes: Sequence[TextBox], size: int) -> PageArt:
    """Paints a page, quiet where `boxes` will hold words.

    The same scene, face and boxes give the same pixels on one machine.
    """
    place = child_placement(face)
    empty = Sheet(scene.seed, size)
    for paint in scene.backdrop:
        paint(empty, place)
    peopled = empty.copy()
    peopled.follow_figure()
    for paint in scene.hero:
        paint(peopled, place)
    figure = peopled.footprint
    assert figure is not None
    hidden = np.zeros_like(figure)
    for sheet in (empty, peopled):
        sheet.restart_coats(10_000)
        sheet.follow_figure()
        for paint in scene.foreground:
            paint(sheet, place)
        if sheet.footprint is not None:
            hidden = sheet.footprint
    mask = np.asarray(np.rint(figure * (1 - _broad(hidden)) * 255), dtype=np.uint8)
    for box in boxes:
        quieten(empty.canvas, box, apart_from=_grown(mask))
    background = scan(empty.canvas, empty.paper)
    character = scan(peopled.canvas, peopled.paper)
    character[mask == 0] = background[mask == 0]
    return PageArt(background, character, mask)


def _grown(mask: ByteImage) -> FloatImage:
    """1 on the figure and close to it, falling to 0 around; exactly 1 wherever the mask isn't 0."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_AROUND_FIGURE, _AROUND_FIGURE))
    grown = cv2.dilate((mask > 0).astype(np.float32), kernel)
    return np.asarray(cv2.GaussianBlur(grown, (0, 0), _AROUND_FIGURE / 6), dtype=np.float32)


def _broad(hidden: FloatImage) -> FloatImage:
    """What covers the child broadly, as a boat does; blades of grass and snowflakes don't count.

    The renderer feathers the mask, and a feathered hole around every blade would let the empty
    meadow shine through the boots.
    """
    kernel = np.ones((_FINE, _FINE), dtype=np.uint8)
    return np.asarray(cv2.morphologyEx(hidden, cv2.MORPH_OPEN, kernel), dtype=np.float32)
