"""From a scene to the three pictures of a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from books.atelier.paper import ByteImage, FloatImage, deckle, scan
from books.atelier.shapes import Placement
from books.atelier.sheet import Sheet
from books.model import FaceOpening

MARGIN = 20.0
"""Bare paper around the picture, px."""

_FINE = 31
"""Foreground narrower than this stays within the person's mask, px."""

_FACE_HEIGHT = 220.0
"""Height of the face opening in the child's own units."""

Painter = Callable[[Sheet, Placement], None]


@dataclass(frozen=True)
class Scene:
    """A page in three parts, painted one over the other.

    backdrop: everything behind the child, and its shadow on the ground; hero: the child and
    what it holds; foreground: what stands before the child. Each gets the sheet and the place
    of the child's face.
    """

    seed: int
    backdrop: Painter
    hero: Painter
    foreground: Painter


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


def paint_page(scene: Scene, face: FaceOpening, size: int) -> PageArt:
    """Paints a page; the same scene and face give the same pixels on one machine."""
    place = child_placement(face)
    empty = Sheet(scene.seed, size)
    scene.backdrop(empty, place)
    peopled = empty.copy()
    peopled.follow_figure()
    scene.hero(peopled, place)
    figure = peopled.footprint
    assert figure is not None
    hidden = np.zeros_like(figure)
    for sheet in (empty, peopled):
        sheet.restart_coats(10_000)
        sheet.follow_figure()
        scene.foreground(sheet, place)
        if sheet.footprint is not None:
            hidden = sheet.footprint
    paint, _ = deckle(peopled.paper, MARGIN)
    share = figure * (1 - _broad(hidden)) * np.ceil(paint)
    mask = np.asarray(np.rint(share * 255), dtype=np.uint8)
    background = scan(empty.canvas, empty.paper, MARGIN)
    character = scan(peopled.canvas, peopled.paper, MARGIN)
    character[mask == 0] = background[mask == 0]
    return PageArt(background, character, mask)


def _broad(hidden: FloatImage) -> FloatImage:
    """What covers the child broadly, as a boat does; blades of grass and snowflakes don't count.

    The renderer feathers the mask, and a feathered hole around every blade would let the empty
    meadow shine through the boots.
    """
    kernel = np.ones((_FINE, _FINE), dtype=np.uint8)
    return np.asarray(cv2.morphologyEx(hidden, cv2.MORPH_OPEN, kernel), dtype=np.float32)
