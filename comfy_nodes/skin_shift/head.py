"""Face, ears and neck, pixel by pixel."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .face import Face, largest_circle
from .patches import Borders, ByteMap, Patches, closed, grown, holes_filled, odd, opened, solidity
from .presets import Preset
from .region import Skin, Window, borders_of, lines, smaller
from .tone import BoolMap, FloatImage, FloatMap, Planes, Tone

# Radius of the face in pixels at which heads are looked at, and how far around, in radii.
_RADIUS, _REACH = 64, 1.65
# Looks again, each at so many times the face, where skin takes this part of one of its borders.
_LOOKS, _WIDER, _CUT, _SEEDS = 2, 1.5, 0.1, 0.9
# Part of the face's radius in which it surely is, whatever hair and hood do.
_SURE = 0.5
# Sides, in radii, of the box whose mean contours are darker than, and of the thinnest patch.
_LINE_BOX, _LINE_DARKNESS, _LINK = 0.15, 0.95, 0.06
# Holes in this part of the face are lips, eyes, brows and highlights, up to this part of its area.
_HOLES_WITHIN, _HOLE = 1.25, 0.2
# Ears, necks and what a fringe cuts off lie this near the face's own patch, in radii, have its
# tone this closely, and have at least and at most these parts of its area.
_NEAR, _NEAR_SPREAD, _NEAR_AREA = 0.3, 3.0, (0.006, 1.0)
# Their median distance is below the first, or, if they fill their hulls as no trim does, below the
# second; below the third under the chin.
_NEAR_MEDIAN, _NEAR_SOLIDITY = (0.9, 1.2, 2.2), 0.75
# Necks have this part of the face's area, and lie under its middle up to this many radii.
_LEAST_NECK, _NECK_ASIDE = 0.02, 0.6
# Highlights are farther from the tone than other skin, and no farther than this.
_HIGHLIGHT_SPREAD = 6.0
# So are cheeks that glow in the light of a garment: they keep this part of the skin's luma.
_GLOW, _GLOW_SPREAD = 0.55, 4.5
# What is thinner than this, in radii, hangs on the outline by accident.
_SNAG = 0.16
# Luma of dark edges in parts of the skin's, and twice their width in radii.
_DARK_EDGE, _EDGE = 0.8, 0.06
# Width of bays; and twice that of the shade along a contour, in radii, with its spread.
_BAY, _RIMS = 0.45, ((0.16, 0.9), (0.1, 1.5))
# Faces are thicker than this, in radii, and their corners no farther from what is as thick.
_THICK, _TIPS = 0.6, 0.2
# A wall that runs into the face is cut off at this many radii.
_LEAK_REACH = 1.5


@dataclass(frozen=True)
class Head:
    """The part of a picture around a face, at about `_RADIUS` pixels for the face's radius.

    Attributes:
        window: rows and columns of the picture.
        scale: pixels of what follows for one of the picture.
        image: float32 [h, w, 3].
        planes: of that image.
        skin: uint8 [h, w], 1 on face, ears and neck; eyes and mouth are in it.
        face: the circle that fills the face, in pixels of that image; as it was found where there
            is no skin.
        distance: `yellowness` of the planes.
        tone: of the face, more of which may have been seen than before.
    """

    window: Window
    scale: float
    image: FloatImage
    planes: Planes
    skin: ByteMap
    face: Face
    distance: FloatMap
    tone: Tone


def look_at(image: FloatImage, person: FloatMap, skin: Skin, preset: Preset) -> Head:
    """Look closer at the head of what has been found.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        person: float32 [H, W], 0..1; 1 is the person.
        skin: found in them.
        preset: whose thresholds count.
    """
    head = _seen(image, person, skin, skin.face, preset)
    for _ in range(_LOOKS):
        if not _cut_off(head, skin):
            break
        # The face is larger than it was taken for.
        left, top = head.window[1].start, head.window[0].start
        face = head.face.seen_from(-left * head.scale, -top * head.scale, 1 / head.scale)
        side = _WIDER * max(face.width, skin.face.width)
        seeds = (head.skin > 0) & head.face.disc(head.skin.shape, _SEEDS)
        if seeds.any():
            skin = replace(skin, tone=Tone.of(head.image, head.planes, seeds))
        head = _seen(image, person, skin, Face(face.x, face.y, side, side), preset)
    return head


def _cut_off(head: Head, skin: Skin) -> bool:
    """Whether the window cuts the skin, and not the picture or the person's own border."""
    (rows, columns), (all_rows, all_columns) = head.window, skin.window
    cuts = (
        (rows.start > all_rows.start, head.skin[0]),
        (rows.stop < all_rows.stop, head.skin[-1]),
        (columns.start > all_columns.start, head.skin[:, 0]),
        (columns.stop < all_columns.stop, head.skin[:, -1]),
    )
    return any(cut and float(line.mean()) > _CUT for cut, line in cuts)


def _seen(image: FloatImage, person: FloatMap, skin: Skin, face: Face, preset: Preset) -> Head:
    """One look, at the size of that face; in pixels of the picture."""
    window = _window(skin, face)
    scale = min(1.0, _RADIUS / face.radius)
    small = np.ascontiguousarray(smaller(image[window], scale))
    of_person = smaller(person[window], scale) > 0.5
    face = face.seen_from(window[1].start, window[0].start, scale)
    planes = Planes.of(small)
    borders = borders_of(window, person.shape)
    distance = skin.tone.yellowness(planes)
    mask, circle = _skin(planes, of_person, skin.tone, distance, face, borders, preset)
    return Head(window, scale, small, planes, mask, circle, distance, skin.tone)


def _window(skin: Skin, face: Face) -> Window:
    """Around the face, no farther than the person reaches."""
    half = _REACH * max(face.width, face.height) / 2
    rows, columns = (
        slice(max(whole.start, int(at - half)), min(whole.stop, int(at + half)))
        for whole, at in zip(skin.window, (face.y, face.x), strict=True)
    )
    return rows, columns


def _skin(
    planes: Planes,
    of_person: BoolMap,
    tone: Tone,
    distance: FloatMap,
    face: Face,
    borders: Borders,
    preset: Preset,
) -> tuple[ByteMap, Face]:
    """Face, ears and neck: uint8 [h, w] of 0 and 1, eyes and mouth filled; and their circle."""
    radius = face.radius
    may_be = of_person & tone.may_be(planes, distance, preset.rim_spread)
    contours = lines(planes, odd(_LINE_BOX * radius), _LINE_DARKNESS)
    close = (may_be & ~contours).astype(np.uint8)
    patches = Patches.of(opened(close, odd(_LINK * radius)), borders)
    core = patches.most_in(face.disc(close.shape, _SURE))
    if core is None:
        return np.zeros_like(close), face
    head = holes_filled(patches.mask(core), _HOLE, face.disc(close.shape, _HOLES_WITHIN))
    if patches.are_scenery(core):
        head &= face.disc(close.shape, _LEAK_REACH)
    # A trim of the skin's tone may touch the jaw: it is thinner than a face, and let go again.
    head &= grown(opened(head, odd(_THICK * radius)), odd(2 * _TIPS * radius))
    if not head.any():
        return head, face
    circle = largest_circle(head)
    rest = (may_be & (distance < _NEAR_SPREAD) & (head == 0)).astype(np.uint8)
    near = _near(Patches.of(opened(rest, odd(_LINK * radius)), borders), head, circle, distance)
    near |= _touching(head, may_be & (distance < preset.core_spread), borders)
    highlight = of_person & (planes.luma > tone.luma) & (distance < _HIGHLIGHT_SPREAD)
    highlight |= of_person & (planes.luma > _GLOW * tone.luma) & (distance < _GLOW_SPREAD)
    # Shade joins an eye to the hair: such bays are of the face but for the hair in them.
    whole = closed(head | near, odd(_BAY * circle.radius))
    circle = largest_circle(whole)
    within = circle.disc(head.shape, _HOLES_WITHIN)
    head |= (whole > 0) & within & (may_be | highlight)
    head = holes_filled(_rounded_off(head, near, may_be, distance, radius), _HOLE, within)
    # Dark lines and the edge of dark hair are taken along: to darken them shows less than a ring.
    dark = of_person & (planes.luma < _DARK_EDGE * tone.luma)
    return head | (grown(head, odd(_EDGE * radius)) & dark), circle


def _near(rest: Patches, head: ByteMap, face: Face, distance: FloatMap) -> ByteMap:
    """Ears, the neck, and what shade and strands of hair cut off."""
    found = np.zeros_like(head)
    area = int(head.sum())
    near = grown(head, odd(2 * _NEAR * face.radius)) > 0
    for label in rest.within(near):
        if not _NEAR_AREA[0] < rest.areas[label] / area < _NEAR_AREA[1] or rest.are_scenery(label):
            continue
        window, mask = rest.piece(label)
        off = float(np.median(distance[window][mask > 0]))
        below = window[0].start + window[0].stop > 2 * (face.y + face.radius)
        aside = abs((window[1].start + window[1].stop) / 2 - face.x) > _NECK_ASIDE * face.radius
        neck = below and not aside and rest.areas[label] > _LEAST_NECK * area
        most = _NEAR_MEDIAN[2 if neck else 1]
        if off < _NEAR_MEDIAN[0] or (off < most and solidity(mask) > _NEAR_SOLIDITY):
            found[window] |= mask
    return found


def _touching(head: ByteMap, same: BoolMap, borders: Borders) -> ByteMap:
    """Patches of the very tone that touch the head."""
    patches = Patches.of(opened(same.astype(np.uint8), 3), borders)
    touching = patches.within(grown(head, 3) > 0)
    chosen = np.zeros(len(patches.areas), dtype=np.uint8)
    least = _NEAR_AREA[0] * float(head.sum())
    for label in touching:
        chosen[label] = patches.areas[label] > least and not patches.are_scenery(label)
    return chosen[patches.labels]


def _rounded_off(
    head: ByteMap, near: ByteMap, may_be: BoolMap, distance: FloatMap, radius: float
) -> ByteMap:
    """The head without snags, and what is near it, up to their painted contours."""
    head = opened(head, odd(_SNAG * radius)) | near
    for width, spread in _RIMS:
        rim = grown(head, odd(width * radius)) > 0
        head |= rim & may_be & (distance < spread)
    return np.asarray(cv2.medianBlur(head, odd(_LINK * radius)), dtype=np.uint8)
