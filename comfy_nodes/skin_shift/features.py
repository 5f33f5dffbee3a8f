"""Eyes and teeth: what lies in a face and isn't skin."""

import cv2
import numpy as np

from .head import Head
from .patches import ByteMap, Patches, closed, hull, odd, opened
from .region import Window
from .tone import BoolMap, FloatMap

# In parts of the luma around: pupils, lashes and open mouths are darker; so is, less, a lower lid.
_DARK, _DARKER, _DIM = 0.65, 0.5, 0.88
# What "around" is, in radii of the face.
_AROUND, _NEAR = 0.35, 1.1
# Relative red in parts of the skin's: what is paler may be the white of an eye or a tooth, what is
# redder is lips.
_WHITE, _TOOTH, _LIPS = 0.66, 0.5, 1.3
# Of the tone more closely than this is a lid.
_LID_SPREAD = 1.0
# Eyes end and mouths begin this far below the middle of the face, in radii.
_EYES_END, _MOUTH_BEGINS = -0.12, 0.1
# Dark lies around the white of an eye within these radii: beside it, and above and below; an iris
# is at least this thick, and lashes go this far between dark and dark.
_IRIS_BESIDE, _LIDS, _IRIS, _LASHES = 0.22, 0.13, 0.08, 0.1
# What eyes measure, in radii.
_WIDEST_EYE, _LOWEST_EYE, _HIGHEST_EYE, _EYE_SOLIDITY = 0.85, 0.06, 0.42, 0.65
# Lips and the dark of the mouth lie around teeth within these radii: beside them, and above and
# below; rows of teeth are at least this wide.
_BESIDE, _ABOVE, _LEAST_TEETH = 0.9, 0.22, 0.15
# A second row has this part of the first's area.
_LEAST_ROW = 0.5


def kept(head: Head) -> tuple[Window, BoolMap]:
    """Say which pixels of a head are of eyes or teeth: rows and columns, and bool in them."""
    face, skin = head.face, closed(head.skin, odd(head.face.radius / 2))
    near = skin & face.disc(skin.shape, _NEAR)
    left, top, width, height = cv2.boundingRect(near)
    window = (slice(top, top + height), slice(left, left + width))
    where = near[window] > 0
    if not where.any():
        return window, where
    red = head.planes.red[window] / np.float32(max(float(head.tone.centre[0]), 0.02))
    luma = head.planes.luma[window]
    light = luma / _mean_within(luma, where, face.radius * _AROUND)
    rows = np.arange(top, top + height, dtype=np.float32)[:, None]
    depth = (rows - np.float32(face.y)) / np.float32(face.radius)
    eyes = _eyes(red, light, where & (depth < _EYES_END), face.radius)
    teeth = _teeth(red, light, where & (depth > _MOUTH_BEGINS), face.radius)
    lids = (head.distance[window] < _LID_SPREAD) & (light > _DARK)
    return window, (eyes & ~lids) | teeth


def _eyes(red: FloatMap, light: FloatMap, where: BoolMap, radius: float) -> BoolMap:
    """Hulls around dark discs, which brows have none of, and around whites between dark lids."""
    left, right, above, _ = _sides(where & (light < _DARK), _IRIS_BESIDE * radius, _LIDS * radius)
    _, _, _, below = _sides(where & (light < _DIM), 1, _LIDS * radius)
    pale = where & (red < _WHITE) & (light > _DARK)
    white = pale & (left | right) & above & below
    eyes = np.zeros(where.shape, dtype=np.uint8)
    # Shade joins an eye to its brow or to the hair; what is darker than the shade does not.
    for darkness in (_DARK, _DARKER):
        dark = where & (light < darkness)
        seeds = opened((dark | white).astype(np.uint8), odd(_IRIS * radius)) & (eyes == 0)
        patches = Patches.of(closed((dark | white).astype(np.uint8), odd(_LASHES * radius)))
        for label in patches.within(seeds > 0):
            window, mask = patches.piece(label)
            eyes[window] |= _if_eye(mask, radius)
    return eyes > 0


def _if_eye(mask: ByteMap, radius: float) -> ByteMap:
    """The hull of a patch that has the size and shape of an eye; else nothing."""
    height, width = mask.shape[0] / radius, mask.shape[1] / radius
    whole = hull(mask)
    of_eye = (
        width < _WIDEST_EYE
        and _LOWEST_EYE < height < _HIGHEST_EYE
        and int(mask.sum()) >= _EYE_SOLIDITY * int(whole.sum())
    )
    return whole if of_eye else np.zeros_like(mask)


def _teeth(red: FloatMap, light: FloatMap, where: BoolMap, radius: float) -> BoolMap:
    """What is pale and has lips or the dark of a mouth on all four sides."""
    dark = light < _DARK
    mouth = where & ((red > _LIPS) | dark)
    left, right, above, below = _sides(mouth, _BESIDE * radius, _ABOVE * radius)
    enclosed = where & (red < _TOOTH) & ~dark & left & right & above & below
    gap = np.ones((1, odd(_LEAST_TEETH * radius)), np.uint8)
    joined = cv2.morphologyEx(enclosed.astype(np.uint8), cv2.MORPH_CLOSE, gap)
    patches = Patches.of(np.asarray(joined, dtype=np.uint8))
    rows = np.zeros(where.shape, dtype=np.uint8)
    for label in np.flatnonzero(patches.areas > _LEAST_ROW * patches.areas.max()):
        window, mask = patches.piece(int(label))
        if mask.shape[1] >= _LEAST_TEETH * radius:
            rows[window] |= mask
    return rows > 0


def _sides(mask: BoolMap, beside: float, above: float) -> tuple[BoolMap, BoolMap, BoolMap, BoolMap]:
    """Whether the mask lies left of, right of, above and below each pixel within a reach."""
    seen = mask.astype(np.uint8)
    across, down = max(2, round(beside)), max(2, round(above))
    row, column = np.ones((1, across), np.uint8), np.ones((down, 1), np.uint8)
    left = cv2.dilate(seen, row, anchor=(across - 1, 0))
    right = cv2.dilate(seen, row, anchor=(0, 0))
    upper = cv2.dilate(seen, column, anchor=(0, down - 1))
    lower = cv2.dilate(seen, column, anchor=(0, 0))
    return left > 0, right > 0, upper > 0, lower > 0


def _mean_within(values: FloatMap, where: BoolMap, radius: float) -> FloatMap:
    """Box mean over the pixels `where` alone; positive everywhere."""
    weight = where.astype(np.float32)
    side = odd(2 * radius)
    total = cv2.blur(values * weight, (side, side))
    share = cv2.blur(weight, (side, side))
    return np.asarray(np.maximum(total, 0.02) / np.maximum(share, 0.02), dtype=np.float32)
