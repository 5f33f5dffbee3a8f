"""Where a person's skin is, coarsely: the face, its tone, and what of the body shows the same."""

from dataclasses import dataclass

import cv2
import numpy as np

from .face import Face, thickest
from .patches import Borders, ByteMap, Patches, grown, opened, solidity
from .tone import BoolMap, FloatImage, FloatMap, Planes, Tone

# Long side, in pixels, at which skin is looked for; and the step at which the mask's box is.
_SEARCH_SIDE, _BOX_STEP = 240, 4
# Scales of that picture at which faces are looked for: on pages, and in close-ups.
_SCALES = (1.0, 0.25)
# Part of the face's radius that is surely face, whatever hair and hood do.
_SURE = 0.7
# Luma in parts of that of the lighter skin, from which on colours count for the tone.
_LIGHTER = 0.55
# Contours are this much darker, or more or less red, than the square around them on average.
_LINE_DARKNESS, _LINE_RED, _LINE_BOX = 0.88, 0.13, 9
# Hands and knees have the tone of the face more closely than clothes near it, ...
_BODY_SPREAD = 1.1
# ... are at least this wide and this long, in radii of the face, and fill their hull.
_BODY_WIDTH, _BODY_LENGTH, _BODY_SOLIDITY = 0.26, 0.5, 0.75
# A gradient that only passes through the tone, such as an ear lining, has wide surroundings.
_CLOSED, _AROUND_SPREAD = 0.7, 3.3

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Skin:
    """What has been found.

    Attributes:
        tone: of the face.
        face: the ellipse that was given or found, in pixels of the picture.
        window: rows and columns of the picture that hold the person.
        scale: pixels of `body` for one of the picture.
        body: uint8 [h, w] over the window: 1 on hands and other skin off the head.
    """

    tone: Tone
    face: Face
    window: Window
    scale: float
    body: ByteMap


def find(image: FloatImage, person: FloatMap, face: Face | None) -> Skin | None:
    """Find the skin of a person.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        person: float32 [H, W], 0..1; 1 is the person.
        face: where the face is, if that is known. It says where to read the tone, and never where
            skin ends.

    Returns:
        The skin, or None where the person shows none.
    """
    window = _box(person)
    if window is None:
        return None
    top, left = window[0].start, window[1].start
    scale = min(1.0, _SEARCH_SIDE / max(window[0].stop - top, window[1].stop - left))
    small = smaller(image[window], scale)
    of_person = smaller(person[window], scale) > 0.5
    borders = borders_of(window, person.shape)
    planes = Planes.of(small)
    skin = planes.looks_like_skin() & of_person
    seen = (
        face.seen_from(left, top, scale) if face else _likeliest(small, planes, of_person, borders)
    )
    sure = skin & seen.disc(skin.shape, _SURE) if seen else skin
    if seen is None or not sure.any():
        return None
    # The darker part of what may be skin may be hair.
    sure &= planes.luma > _LIGHTER * np.percentile(planes.luma[sure], 75)
    tone = Tone.of(small, planes, sure)
    off_face = of_person & ~seen.disc(skin.shape, 1.0)
    body = _body(planes, off_face, tone, seen, borders)
    found = face or seen.seen_from(-left * scale, -top * scale, 1 / scale)
    return Skin(tone, found, window, scale, body)


def _likeliest(
    image: FloatImage, planes: Planes, of_person: BoolMap, borders: Borders
) -> Face | None:
    """The likeliest face at the image's own scale, or at smaller ones, for close-ups."""
    best, most = None, 0.0
    for scale in _SCALES:
        if scale < 1:
            planes = Planes.of(smaller(image, scale))
            of_person = smaller(of_person.astype(np.float32), scale) > 0.5
        skin = planes.looks_like_skin() & of_person & ~lines(planes, _LINE_BOX, _LINE_DARKNESS)
        circle, worth = thickest(skin, planes.red, borders)
        if circle and worth / scale > most:
            best, most = circle.seen_from(0, 0, 1 / scale), worth / scale
    return best


def smaller(picture: FloatImage, scale: float) -> FloatImage:
    """A picture or map scaled down, float32; the same at scale 1.

    Bilinear: what is looked for is larger than what aliases, and averaging areas costs six times
    as much.
    """
    if scale >= 1:
        return picture
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    size = (width, height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def borders_of(window: Window, shape: tuple[int, ...]) -> Borders:
    """Where a window ends with the picture, whose shape is given."""
    rows, columns = window
    return Borders(
        rows.start == 0, rows.stop == shape[0], columns.start == 0, columns.stop == shape[1]
    )


def lines(planes: Planes, side: int, darkness: float) -> BoolMap:
    """Painted contours: darker than on average in a box of that side, or of another red."""
    darker = planes.luma < darkness * cv2.blur(planes.luma, (side, side))
    other = cv2.absdiff(planes.red, cv2.blur(planes.red, (side, side))) > _LINE_RED
    return np.asarray(darker | other)


def closed_off(where: BoolMap, around: Patches) -> bool:
    """Whether a patch is most of the wider patches of similar tone it lies in."""
    total = int(around.areas[around.within(where)].sum())
    return int(np.count_nonzero(where)) >= _CLOSED * total


def surroundings(allowed: BoolMap, distance: FloatMap, borders: Borders, link: int = 3) -> Patches:
    """The wider patches of similar tone, but for links thinner than `link` pixels."""
    wide = (allowed & (distance < _AROUND_SPREAD)).astype(np.uint8)
    return Patches.of(opened(wide, link), borders)


def _box(person: FloatMap) -> Window | None:
    """The smallest rows and columns that hold the person, up to a few pixels."""
    seen = np.ascontiguousarray(person[::_BOX_STEP, ::_BOX_STEP] > 0).view(np.uint8)
    x, y, width, height = (_BOX_STEP * side for side in cv2.boundingRect(seen))
    if not width:
        return None
    rows = slice(max(0, y - _BOX_STEP), min(person.shape[0], y + height))
    return rows, slice(max(0, x - _BOX_STEP), min(person.shape[1], x + width))


def _body(planes: Planes, allowed: BoolMap, tone: Tone, face: Face, borders: Borders) -> ByteMap:
    """Patches of the face's tone off the face that are shaped like parts of a body."""
    distance = tone.distance(planes)
    close = allowed & (distance < _BODY_SPREAD) & (planes.luma < 1.25 * float(tone.colour.max()))
    solid = opened(close.astype(np.uint8), max(1, round(_BODY_WIDTH * face.radius)))
    found = np.zeros_like(solid)
    if not solid.any():
        return found
    patches = Patches.of(solid, borders)
    around = surroundings(allowed, distance, borders)
    least = _BODY_LENGTH * face.radius
    for label in range(1, len(patches.areas)):
        piece = patches.piece(label)
        if (
            max(piece.width, piece.height) >= least
            and solidity(piece.mask) >= _BODY_SOLIDITY
            and not patches.are_scenery(label)
            and closed_off(patches.labels == label, around)
        ):
            found[piece.window] |= piece.mask
    return grown(found, 3)
