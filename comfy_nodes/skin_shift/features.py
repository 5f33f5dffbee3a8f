"""Eyes, brows and teeth: what lies in a face and isn't skin."""

import cv2
import numpy as np
import numpy.typing as npt

from .tone import FloatMap, Planes, Tone

# A pixel this much darker than the face around it is of a pupil, lash, brow or open mouth.
_DARK, _LESS_DARK = 0.50, 0.68
# In radii of the face: what "around" is; eyes end and mouths begin this far below its centre; and
# how far the whites of eyes, and teeth, lie from something dark. Highlights on brow, nose and
# cheeks are as pale as teeth: they are told apart by where they are.
_AROUND = 0.35
_EYES_END, _MOUTH_BEGINS = 0.1, 0.4
_NEAR_EYE, _NEAR_MOUTH = 0.05, 0.2
# Eyes are closed over their whites, in radii of the face: wide and low.
_EYE = (0.13, 0.04)
_RIM = 0.1
# Relative red in parts of the skin's: all of what is below the first is a tooth, or the white of an
# eye, nothing above the second. Eyelids shine, hence eyes must be whiter.
_PALE, _WHITE = (0.40, 0.62), (0.12, 0.25)


def features(
    planes: Planes, inside: FloatMap, tone: Tone, radius: float, middle: float
) -> FloatMap:
    """Say how much each pixel belongs to eyes, brows or teeth.

    Args:
        planes: of the face's window, [H, W].
        inside: float32 [H, W], 0..1: the face's outline.
        tone: of the face's skin.
        radius: of the face in pixels.
        middle: row of the face's centre; eyes lie above it, mouth and teeth below.

    Returns:
        float32 [H, W], 0..1.
    """
    face = np.asarray(inside > 0.5)
    if not face.any():
        return np.zeros_like(inside)
    around = _mean_within(planes.luma, face, radius * _AROUND)
    dark = _falling(planes.luma / around, _DARK, _LESS_DARK)
    dark *= inside
    seeds = (dark > 0.5).astype(np.uint8)
    eyes_end, mouth_begins = (
        min(max(0, round(middle + part * radius)), len(inside))
        for part in (_EYES_END, _MOUTH_BEGINS)
    )
    relative = planes.red / np.float32(max(tone.centre[0], 0.02))
    kept = _falling(relative, *_PALE)
    above, between, below = np.split(kept, (eyes_end, mouth_begins))
    above[...] = _falling(relative[:eyes_end], *_WHITE)
    above *= _grown(seeds[:eyes_end], radius * _NEAR_EYE)
    between[...] = 0
    below *= _grown(seeds[mouth_begins:], radius * _NEAR_MOUTH)
    if eyes_end:
        brush = _brush(radius * _EYE[0], radius * _EYE[1])
        # Not with the dark rim of the face: a temple would be closed over with the eye beside it.
        inner = cv2.erode(face.astype(np.uint8), _brush(radius * _RIM, radius * _RIM))
        eyes = seeds[:eyes_end] & np.asarray(inner, dtype=np.uint8)[:eyes_end]
        np.maximum(above, cv2.morphologyEx(eyes, cv2.MORPH_CLOSE, brush), out=above)
        np.maximum(above, dark[:eyes_end], out=above)
    # Soft by a pixel or two, so that a lid has no stair steps.
    soft = cv2.GaussianBlur(kept, (0, 0), max(0.6, radius * 0.008))
    return np.asarray(np.maximum(kept, soft), dtype=np.float32)


def _grown(seeds: npt.NDArray[np.uint8], reach: float) -> FloatMap:
    """1 within `reach` pixels of a seed, float32; an empty strip stays empty."""
    if not seeds.size:
        return seeds.astype(np.float32)
    return np.asarray(cv2.dilate(seeds, _brush(reach, reach)), dtype=np.float32)


def _mean_within(values: FloatMap, where: npt.NDArray[np.bool_], radius: float) -> FloatMap:
    """Box mean over the pixels `where` alone; positive everywhere."""
    weight = where.astype(np.float32)
    side = 2 * max(1, round(radius)) + 1
    total = cv2.blur(values * weight, (side, side))
    share = cv2.blur(weight, (side, side))
    return np.asarray(np.maximum(total, 0.02) / np.maximum(share, 0.02), dtype=np.float32)


def _falling(values: FloatMap, full: float, none: float) -> FloatMap:
    """1 up to `full`, 0 from `none` on."""
    return np.asarray(np.clip((none - values) / (none - full), 0.0, 1.0), dtype=np.float32)


def _brush(half_width: float, half_height: float) -> npt.NDArray[np.uint8]:
    size = (2 * max(1, round(half_width)) + 1, 2 * max(1, round(half_height)) + 1)
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, size), dtype=np.uint8)
