"""Connected patches of a mask, and what their shapes say."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from .tone import BoolMap

ByteMap = npt.NDArray[np.uint8]

# Scenery reaches two of the picture's borders, or takes this part of the length of one.
_ALONG_BORDER = 0.5
# Brushes in pixels up to which discs are drawn as such.
_LARGEST_DISC = 7


class Borders(NamedTuple):
    """At which of its ends a map ends where the picture does."""

    top: bool
    bottom: bool
    left: bool
    right: bool


NOWHERE = Borders(False, False, False, False)


@dataclass(frozen=True)
class Patches:
    """The connected patches of a mask.

    Attributes:
        labels: int32 [h, w]; 0 is off the mask, the patches are numbered from 1.
        areas: of each label in pixels, 0 for the label 0.
        borders: where the mask ends with the picture.
    """

    labels: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int64]
    borders: Borders

    @classmethod
    def of(cls, mask: ByteMap, borders: Borders = NOWHERE) -> "Patches":
        """The patches of a mask of 0 and 1, uint8 [h, w]; pixels that touch by a corner do."""
        # OpenCV's own statistics cost eight times as much as the labels.
        count, labels = cv2.connectedComponents(mask, connectivity=8)
        areas = np.bincount(labels.ravel(), minlength=count)
        areas[0] = 0
        return cls(np.asarray(labels, dtype=np.int32), areas, borders)

    def largest(self, count: int) -> list[int]:
        """The labels of the `count` largest patches, largest first."""
        order = np.argsort(-self.areas[1:])[:count]
        return [int(label) + 1 for label in order]

    def mask(self, label: int) -> ByteMap:
        """Of one patch: uint8 [h, w], 0 and 1."""
        return np.asarray(self.labels == label, dtype=np.uint8)

    def piece(self, label: int) -> "Piece":
        """One patch in its bounding box."""
        mask = self.mask(label)
        left, top, width, height = cv2.boundingRect(mask)
        window = (slice(top, top + height), slice(left, left + width))
        return Piece(window, mask[window])

    def within(self, where: BoolMap) -> list[int]:
        """The labels that some of the pixels `where` have."""
        counts = np.bincount(self.labels[where], minlength=1)
        counts[0] = 0
        return [int(label) for label in np.flatnonzero(counts)]

    def most_in(self, where: BoolMap) -> int | None:
        """The label that most of the pixels `where` have; None if they have none."""
        counts = np.bincount(self.labels[where], minlength=1)
        counts[0] = 0
        return int(counts.argmax()) if counts.any() else None

    def are_scenery(self, label: int) -> bool:
        """Whether a patch lies along the picture's border, as walls do and faces don't."""
        ends = (self.labels[0], self.labels[-1], self.labels[:, 0], self.labels[:, -1])
        along = [
            float(np.mean(line == label))
            for touches, line in zip(self.borders, ends, strict=True)
            if touches
        ]
        return sum(part > 0 for part in along) > 1 or any(part > _ALONG_BORDER for part in along)


class Piece(NamedTuple):
    """A patch, cut out.

    Attributes:
        window: rows and columns of its bounding box.
        mask: uint8, 0 and 1, as large as the window.
    """

    window: tuple[slice, slice]
    mask: ByteMap

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.mask.shape[0])


def brush(size: int) -> ByteMap:
    """A disc of that diameter in pixels; a square of its area where it is large.

    Squares cost a tenth of discs, and where little depends on the shape, the time does.
    """
    if size <= _LARGEST_DISC:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        return np.asarray(disc, dtype=np.uint8)
    side = odd(0.886 * size)
    return np.ones((side, side), dtype=np.uint8)


def odd(pixels: float) -> int:
    """The odd number near `pixels`, at least 3: the side of a brush or box."""
    return 2 * max(1, round((pixels - 1) / 2)) + 1


def grown(mask: ByteMap, size: int) -> ByteMap:
    """A mask of 0 and 1 dilated by a disc of that diameter."""
    return np.asarray(cv2.dilate(mask, brush(size)), dtype=np.uint8)


def opened(mask: ByteMap, size: int) -> ByteMap:
    """A mask of 0 and 1 without what is thinner than a disc of that diameter."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, brush(size)), dtype=np.uint8)


def closed(mask: ByteMap, size: int) -> ByteMap:
    """A mask of 0 and 1 with gaps filled that are thinner than a disc of that diameter."""
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, brush(size)), dtype=np.uint8)


def holes_filled(mask: ByteMap, most: float, within: BoolMap | None = None) -> ByteMap:
    """Fill holes of a mask of 0 and 1.

    Args:
        mask: uint8 [h, w]; not changed.
        most: the largest hole to fill, in parts of the area inside the contour around it.
        within: where a hole must lie, at one pixel at least; everywhere by default.
    """
    filled = mask.copy()
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for i, contour in enumerate(contours):
        parent = tree[0, i, 3]
        if parent < 0 or cv2.contourArea(contour) > most * cv2.contourArea(contours[parent]):
            continue
        if within is None or within[contour[:, 0, 1], contour[:, 0, 0]].any():
            cv2.drawContours(filled, [contour], -1, 1, cv2.FILLED)
    return filled


def hull(piece: ByteMap) -> ByteMap:
    """The convex hull of a mask of 0 and 1 that isn't empty, filled with 1."""
    contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(piece)
    cv2.fillConvexPoly(filled, cv2.convexHull(np.concatenate(list(contours))), 1)
    return filled


def solidity(piece: ByteMap) -> float:
    """Area by area of the convex hull: a ring of fur around a face has little."""
    return float(piece.sum() / hull(piece).sum())
