"""Where a face is: the ellipse that is given, or the thickest patch of skin colour."""

from dataclasses import dataclass

import cv2
import numpy as np

from .patches import Borders, ByteMap, Patches, closed, holes_filled, opened
from .tone import BoolMap, FloatMap

# How many patches are looked at, and what a wall's radius counts, and that of a plain patch: one
# with eyes and mouth has this part of other colours and of dark lines in it.
_CANDIDATES = 4
_WALL, _PLAIN, _FEATURES = 0.4, 0.5, 0.03
# Relative red from which on it is no more likely to be skin.
_RED = 0.1
_BRIDGE, _BAY, _INSIDE = 5, 11, 0.75
# Eyes and mouth are holes of at most this part of a face.
_HOLE = 0.2


@dataclass(frozen=True)
class Face:
    """An ellipse around a face.

    Attributes:
        x, y: centre in pixels from the top left corner.
        width, height: full axes in pixels before the ellipse is turned.
        angle: degrees clockwise on the picture.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        values = (self.x, self.y, self.width, self.height, self.angle)
        if not np.isfinite(values).all() or min(self.width, self.height) <= 0:
            raise ValueError(f"a face has a centre, two axes above 0 and an angle, not {self}")

    @property
    def radius(self) -> float:
        """Half the shorter axis, in pixels."""
        return min(self.width, self.height) / 2

    def seen_from(self, left: float, top: float, scale: float) -> "Face":
        """The same face on a picture that begins at (left, top) and is scaled by `scale`."""
        x, y = (self.x - left) * scale, (self.y - top) * scale
        return Face(x, y, self.width * scale, self.height * scale, self.angle)

    def disc(self, shape: tuple[int, int], part: float) -> BoolMap:
        """The ellipse scaled by `part` about its centre, bool, of the shape given."""
        canvas = np.zeros(shape, dtype=np.uint8)
        box = ((self.x, self.y), (self.width * part, self.height * part), self.angle)
        cv2.ellipse(canvas, box, 1, -1)
        return np.asarray(canvas > 0)


def thickest(skin: BoolMap, red: FloatMap, borders: Borders) -> tuple[Face | None, float]:
    """The largest circle in the patches of skin that may well be a face.

    Fur trims, hands and ear linings are thinner than faces. Walls and clothes may be thicker: what
    lies along the picture's border counts for less, and so does what has neither eyes nor mouth.

    Args:
        skin: bool [h, w].
        red: relative red of the same pixels, float32 [h, w].
        borders: where the map ends with the picture.

    Returns:
        The circle in pixels of the map, None without any skin; and what its radius counts.
    """
    # A contour may be broken: what hangs together by a few pixels is apart.
    patches = Patches.of(opened(skin.astype(np.uint8), _BRIDGE), borders)
    best, most = None, 0.0
    for label in patches.largest(_CANDIDATES):
        wall = patches.are_scenery(label)
        window, mask = patches.piece(label)
        if min(mask.shape) / 2 <= most:
            continue
        circle = largest_circle(mask, fill=not wall)
        inside = circle.disc(mask.shape, _INSIDE)
        features = float(np.mean(~skin[window][inside]))
        worth = circle.radius * min(1.0, float(np.mean(red[window][inside])) / _RED)
        worth *= (_WALL if wall else 1) * (_PLAIN if features < _FEATURES else 1)
        if worth > most:
            best, most = circle.seen_from(-window[1].start, -window[0].start, 1.0), worth
    return best, most


def largest_circle(patch: ByteMap, *, fill: bool = True) -> Face:
    """In a patch of 0 and 1 that isn't empty; with its bays and holes filled or not."""
    # Beyond the picture nothing is known.
    height, width = patch.shape
    padded = np.zeros((height + 2 * _BAY, width + 2 * _BAY), dtype=np.uint8)
    padded[_BAY:-_BAY, _BAY:-_BAY] = patch
    if fill:
        padded = holes_filled(closed(padded, _BAY), _HOLE)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_5)
    _, radius, _, (x, y) = cv2.minMaxLoc(depth)
    return Face(x - _BAY + 0.5, y - _BAY + 0.5, 2 * radius, 2 * radius)
