"""Darken a person's skin by multiplication, and nothing else."""

from collections.abc import Iterator

import cv2
import numpy as np

from .face import Face
from .features import kept
from .head import look_at
from .matte import Matte
from .presets import Preset, preset_named
from .region import Skin, Window, find, smaller
from .tone import FloatImage, FloatMap, Tone

# Rows that are worked on at a time: few enough that they stay in the processor's cache.
_STRIP = 48


def shift(
    image: FloatImage, person: FloatMap, preset: str, strength: float, face: Face | None = None
) -> FloatImage:
    """Multiply the person's skin by a preset's RGB factors.

    factor = 1 + strength · amount · (multiplier - 1) per channel, with `amount` of `skin_amount`:
    shading and edges survive, and a pixel that isn't of the person's skin keeps its bits.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        person: float32 [H, W], 0..1; 1 is the person.
        preset: a name in the preset table.
        strength: 0..1.
        face: where the face is; found by itself when not given.

    Returns:
        float32 [H, W, 3], RGB, 0..1; the very image given for "off", strength 0, no person or no
        skin.

    Raises:
        ValueError: shapes differ, the preset is unknown, or the strength is out of range.
    """
    check(preset, strength)
    if image.ndim != 3 or image.shape[2] != 3 or image.shape[:2] != person.shape:
        raise ValueError(f"image {image.shape} and person mask {person.shape} do not fit")
    chosen = preset_named(preset)
    if strength == 0 or chosen.changes_nothing:
        return image
    skin = find(image, person, face)
    if skin is None:
        return image
    less = np.float32(strength) * (_factors(chosen, skin.tone) - 1)
    to_scale = np.stack([less, np.ones(3, np.float32)], axis=1)
    result = image.copy()
    for window, amount in _amounts(image, person, skin, chosen):
        result[window] *= np.asarray(cv2.transform(amount, to_scale), dtype=np.float32)
    return result


def skin_amount(
    image: FloatImage, person: FloatMap, preset: str, face: Face | None = None
) -> FloatMap:
    """How much each pixel is the person's skin: float32 [H, W], 0..1; arguments as in `shift`."""
    whole = np.zeros_like(person)
    skin = find(image, person, face)
    if skin is not None:
        amounts = _amounts(image, person, skin, preset_named(preset))
        for window, amount in amounts:
            whole[window] = amount
    return whole


def check(preset: str, strength: float) -> None:
    """Raise ValueError unless the preset is known and the strength lies in 0..1."""
    preset_named(preset)
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength lies in 0..1, not {strength}")


def _factors(preset: Preset, tone: Tone) -> FloatMap:
    """The multipliers, float32 [3], raised where they would pass the preset's target."""
    floor = np.asarray(preset.target, np.float32) / np.maximum(tone.colour, 1e-3)
    factors = np.maximum(np.asarray(preset.multipliers, np.float32), floor)
    return np.asarray(np.minimum(factors, 1.0), dtype=np.float32)


def _amounts(
    image: FloatImage, person: FloatMap, skin: Skin, preset: Preset
) -> Iterator[tuple[Window, FloatMap]]:
    """Strips of the picture, none twice, and the amount of skin in each."""
    mattes = _mattes(image, person, skin, preset)
    if not mattes:
        return
    left = min(columns.start for (_, columns), _ in mattes)
    right = max(columns.stop for (_, columns), _ in mattes)
    first = min(rows.start for (rows, _), _ in mattes)
    last = max(rows.stop for (rows, _), _ in mattes)
    for top in range(first, last, _STRIP):
        strip = slice(top, min(last, top + _STRIP))
        amount = np.zeros((strip.stop - top, right - left), dtype=np.float32)
        for (rows, columns), matte in mattes:
            common = slice(max(strip.start, rows.start), min(strip.stop, rows.stop))
            if common.start >= common.stop:
                continue
            part = matte.amount(
                image[common, columns],
                slice(common.start - rows.start, common.stop - rows.start),
            )
            here = amount[
                common.start - top : common.stop - top, columns.start - left : columns.stop - left
            ]
            np.maximum(here, part, out=here)
        window = (strip, slice(left, right))
        amount *= person[window]
        yield window, amount


def _mattes(
    image: FloatImage, person: FloatMap, skin: Skin, preset: Preset
) -> list[tuple[Window, Matte]]:
    """Windows of the picture and the matte of skin in each; they may overlap."""
    head = look_at(image, person, skin, preset)
    mask = head.skin.astype(np.float32)
    within, eyes_and_teeth = kept(head)
    mask[within][eyes_and_teeth] = 0
    width = preset.feather * head.face.radius
    found = [Matte.of(head.image, mask, width).enlarged(head.window)]
    if skin.body.any():
        small = np.ascontiguousarray(smaller(image[skin.window], skin.scale))
        mask = skin.body.astype(np.float32)
        found.append(Matte.of(small, mask, 1).enlarged(skin.window))
    return [placed for placed in found if placed is not None]
