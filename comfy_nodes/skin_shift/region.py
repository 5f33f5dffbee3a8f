"""Where a person's skin may be: the face, and what else of the body shows the same tone."""

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
import numpy.typing as npt

from .tone import BoolMap, FloatImage, FloatMap, Planes, Tone

# Long side, in pixels, at which places are looked for.
_SEARCH_SIDE = 256
# Side of the window at which the face's outline is taken.
_OUTLINE_SIDE = 192
# Part of the face's radius that is surely face, whatever hair and hood do.
_SURE = 0.5
# A found circle may touch the hood around the face, a given ellipse is the artist's word.
_REACH_FOUND, _REACH_GIVEN = 1.1, 1.08
# Spreads within which pixels are certainly of the face's tone; cream fur begins beyond.
_SURE_SPREAD, _NEAR_SPREAD = 1.15, 1.0
# What hangs on the face by less than this part of its width isn't of it.
_LINK = 0.12
# A contour is this much darker than the square around it, of that side in the window.
_LINE_DARKNESS, _LINE_SIDE = 0.96, 15
# Hands and knees have the tone of the face more closely than clothes near it, ...
_BODY_SPREAD = 1.1
# ... are at least this wide and this long, in widths of the face, and fill their hull.
_BODY_WIDTH, _BODY_LENGTH = 0.13, 0.25
_BODY_SOLIDITY = 0.75
# A gradient that only passes through the tone, such as an ear lining, has wide surroundings.
_BODY_CLOSED = 0.7


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

    def disc(self, shape: tuple[int, int], part: float, scale: float = 1.0) -> BoolMap:
        """The ellipse scaled by `part`, drawn on a picture of this face scaled by `scale`."""
        canvas = np.zeros(shape, dtype=np.uint8)
        box = (
            (self.x * scale, self.y * scale),
            (self.width * part * scale, self.height * part * scale),
            self.angle,
        )
        cv2.ellipse(canvas, box, 1, -1)
        return np.asarray(canvas > 0)


@dataclass(frozen=True)
class Skin:
    """What has been found.

    Attributes:
        tone: of the face.
        face: the ellipse that was given or found.
        window: rows and columns of the picture that hold the outline.
        outline: float32, as large as the window: 1 in the face, 0 off it, soft between.
        body: uint8 [h, w], 1 on other skin, at the scale of the search; None if there is none.
    """

    tone: Tone
    face: Face
    window: tuple[slice, slice]
    outline: FloatMap
    body: npt.NDArray[np.uint8] | None


def find(image: FloatImage, person: FloatMap, face: Face | None) -> Skin | None:
    """Find the skin of a person.

    Without a `face`, the thickest patch of skin colour is taken for it: fur trims, hands and ear
    linings are thinner than faces.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        person: float32 [H, W], 0..1; 1 is the person.
        face: where the face is, if that is known.

    Returns:
        The skin, or None where the person shows none.
    """
    scale = min(1.0, _SEARCH_SIDE / max(person.shape))
    small = smaller(image, scale)
    of_person = smaller(person, scale) > 0.5
    planes = Planes.of(small)
    skin = planes.looks_like_skin() & of_person
    reach = _REACH_GIVEN if face else _REACH_FOUND
    face = face or _thickest(skin, scale)
    if face is None:
        return None
    sure = skin & face.disc(skin.shape, _SURE, scale)
    if not sure.any():
        return None
    tone = Tone.of(small, planes, sure)
    window = _window(person.shape, face, reach)
    outline = _outline(image[window], person[window], _moved(face, window), tone, reach)
    window, outline = _cropped(window, outline)
    off_face = of_person & ~face.disc(skin.shape, reach, scale)
    body = _body(planes, off_face, tone, face, scale)
    return Skin(tone, face, window, outline, body)


def smaller(picture: FloatImage, scale: float) -> FloatImage:
    """A picture or map scaled down; the same at scale 1.

    Bilinear: what is looked for is larger than what aliases, and averaging areas costs six times
    as much.
    """
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    size = (width, height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _thickest(skin: BoolMap, scale: float) -> Face | None:
    """The largest circle in the skin once eyes and mouth are filled; in pixels of the picture."""
    closed = cv2.morphologyEx(skin.astype(np.uint8), cv2.MORPH_CLOSE, _round_brush(5))
    if not closed.any():
        return None
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(closed, contours, -1, 1, cv2.FILLED)
    # Borders of the picture are not borders of the skin, but beyond them nothing is known.
    padded = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    _, radius, _, (x, y) = cv2.minMaxLoc(depth)
    side = 2 * radius / scale
    return Face((x - 0.5) / scale, (y - 0.5) / scale, side, side)


def _window(shape: tuple[int, ...], face: Face, reach: float) -> tuple[slice, slice]:
    half = ceil(max(face.width, face.height) / 2 * reach) + 2
    top, left = max(0, int(face.y) - half), max(0, int(face.x) - half)
    return slice(top, min(shape[0], int(face.y) + half)), slice(
        left, min(shape[1], int(face.x) + half)
    )


def _cropped(
    window: tuple[slice, slice], outline: FloatMap
) -> tuple[tuple[slice, slice], FloatMap]:
    """The smallest window that holds the outline, and the outline in it."""
    left, top, width, height = cv2.boundingRect((outline > 0).astype(np.uint8))
    rows, columns = slice(top, top + height), slice(left, left + width)
    y, x = window[0].start + top, window[1].start + left
    return (slice(y, y + height), slice(x, x + width)), np.ascontiguousarray(outline[rows, columns])


def _moved(face: Face, window: tuple[slice, slice]) -> Face:
    x, y = face.x - window[1].start, face.y - window[0].start
    return Face(x, y, face.width, face.height, face.angle)


def _outline(image: FloatImage, person: FloatMap, face: Face, tone: Tone, reach: float) -> FloatMap:
    """The convex outline of what has the tone of the face around its middle, soft by a pixel."""
    scale = min(1.0, _OUTLINE_SIDE / max(person.shape))
    planes = Planes.of(smaller(np.ascontiguousarray(image), scale))
    shape = planes.luma.shape
    distance = tone.yellowness(planes)
    allowed = planes.looks_like_skin() & (smaller(person, scale) > 0.5)
    allowed &= face.disc(shape, reach, scale)
    brush = _round_brush(2 * int(_LINK * min(face.width, face.height) * scale / 2) + 1)
    # The middle is drawn in, so that brows and mouth don't cut the face to pieces.
    sure = face.disc(shape, _SURE, scale)
    middle = (min(shape[0] - 1, int(face.y * scale)), min(shape[1] - 1, int(face.x * scale)))
    near = ((allowed & (distance < _SURE_SPREAD)) | sure).astype(np.uint8)
    core = _hull(_piece(cv2.morphologyEx(near, cv2.MORPH_OPEN, brush), middle))
    # Opening rounds chin and temples off: they come back as far as no painted line is crossed.
    rim = cv2.dilate(core, brush).astype(bool) & allowed & (distance < _NEAR_SPREAD)
    rim &= ~_lines(planes.luma)
    canvas = _hull(_piece((rim | (core > 0)).astype(np.uint8), middle))
    size = (person.shape[1], person.shape[0])
    return np.asarray(
        cv2.resize(canvas.astype(np.float32), size, interpolation=cv2.INTER_LINEAR),
        dtype=np.float32,
    )


def _piece(
    mask: npt.NDArray[np.uint8] | cv2.typing.MatLike, at: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The connected piece that holds a pixel (row, column)."""
    _, labels = cv2.connectedComponents(mask, connectivity=4)
    return np.asarray(labels == labels[at], dtype=np.uint8)


def _hull(piece: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The convex hull of a piece, filled with 1."""
    contours, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = np.zeros_like(piece)
    cv2.fillConvexPoly(hull, cv2.convexHull(np.concatenate(list(contours))), 1)
    return hull


def _lines(luma: FloatMap) -> BoolMap:
    """Where it is darker than on average nearby: painted contours, and the shade under a hood."""
    nearby = cv2.blur(luma, (_LINE_SIDE, _LINE_SIDE))
    return np.asarray(luma < _LINE_DARKNESS * nearby)


def _body(
    planes: Planes, allowed: BoolMap, tone: Tone, face: Face, scale: float
) -> npt.NDArray[np.uint8] | None:
    """Patches of the face's tone off the face that are shaped like parts of a body."""
    distance = tone.distance(planes)
    close = allowed & (distance < _BODY_SPREAD) & (planes.luma < 1.25 * float(tone.colour.max()))
    brush = _round_brush(max(1, round(_BODY_WIDTH * face.width * scale)))
    opened = cv2.morphologyEx(close.astype(np.uint8), cv2.MORPH_OPEN, brush)
    solid = np.asarray(opened, dtype=np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    around = allowed & (distance < 3 * _BODY_SPREAD)
    length = _BODY_LENGTH * face.width * scale
    body = np.zeros_like(solid)
    for label in range(1, count):
        if max(stats[label, cv2.CC_STAT_WIDTH], stats[label, cv2.CC_STAT_HEIGHT]) < length:
            continue
        piece = (labels == label).astype(np.uint8)
        if _solidity(piece) >= _BODY_SOLIDITY and _closed(piece, around):
            body |= piece
    if not body.any():
        return None
    return np.asarray(cv2.dilate(body, _round_brush(3)), dtype=np.uint8)


def _solidity(piece: npt.NDArray[np.uint8]) -> float:
    """Area by area of the hull: a ring of fur around a face has little."""
    return float(piece.sum() / _hull(piece).sum())


def _closed(piece: npt.NDArray[np.uint8], around: BoolMap) -> bool:
    """Whether the piece is most of the wider patch of similar tone it lies in."""
    _, labels = cv2.connectedComponents(around.astype(np.uint8))
    wider = np.isin(labels, np.unique(labels[(piece > 0) & around]))
    return bool(piece.sum() >= _BODY_CLOSED * wider.sum())


def _round_brush(size: int) -> npt.NDArray[np.uint8]:
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(brush, dtype=np.uint8)
