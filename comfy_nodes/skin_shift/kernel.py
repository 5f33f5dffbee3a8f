"""Darken a person's skin by multiplication, and nothing else."""

import cv2
import numpy as np

from .features import features
from .presets import Preset, preset_named
from .region import Face, Skin, find, smaller
from .tone import FloatImage, FloatMap, Planes, Tone

# Luma from which skin's colour can be seen at all; black lines stay black either way.
_DARKEST, _LIT = 0.05, 0.15
# Radius in pixels of the largest face in which eyes and teeth are looked for pixel by pixel.
_FEATURE_RADIUS = 160


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
        scale = cv2.transform(amount, to_scale)
        result[window] *= np.asarray(scale, dtype=np.float32)
    return result


def skin_amount(
    image: FloatImage, person: FloatMap, preset: str, face: Face | None = None
) -> FloatMap:
    """How much each pixel is the person's skin: float32 [H, W], 0..1; arguments as in `shift`."""
    whole = np.zeros_like(person)
    skin = find(image, person, face)
    if skin is not None:
        for window, amount in _amounts(image, person, skin, preset_named(preset)):
            whole[window] = np.maximum(whole[window], amount)
    return whole


def check(preset: str, strength: float) -> None:
    """Raise ValueError unless the preset is known and the strength lies in 0..1."""
    preset_named(preset)
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength lies in 0..1, not {strength}")


Window = tuple[slice, slice]


def _factors(preset: Preset, tone: Tone) -> FloatMap:
    """The multipliers, float32 [3], raised where they would pass the preset's target."""
    floor = np.asarray(preset.target, np.float32) / np.maximum(tone.colour, 1e-3)
    factors = np.maximum(np.asarray(preset.multipliers, np.float32), floor)
    return np.asarray(np.minimum(factors, 1.0), dtype=np.float32)


def _amounts(
    image: FloatImage, person: FloatMap, skin: Skin, preset: Preset
) -> list[tuple[Window, FloatMap]]:
    """Windows and the amount of skin in each; a pixel is above zero in one of them at most."""
    found = [(skin.window, _face_amount(image, person, skin, preset))]
    if skin.body is not None:
        patch = cv2.resize(
            skin.body.astype(np.float32), person.shape[::-1], interpolation=cv2.INTER_LINEAR
        )
        patch[skin.window] *= found[0][1] == 0
        x, y, width, height = cv2.boundingRect((patch > 0).astype(np.uint8))
        window = (slice(y, y + height), slice(x, x + width))
        region = np.ascontiguousarray(image[window])
        planes = Planes.of(region)
        amount = _of_tone(planes, skin.tone.distance(planes), preset)
        amount *= patch[window]
        amount *= person[window]
        found.append((window, amount))
    return found


def _face_amount(image: FloatImage, person: FloatMap, skin: Skin, preset: Preset) -> FloatMap:
    region = np.ascontiguousarray(image[skin.window])
    planes = Planes.of(region)
    radius = min(skin.face.width, skin.face.height) / 2
    amount = _of_tone(planes, skin.tone.yellowness(planes), preset)
    amount *= skin.outline
    amount *= person[skin.window]
    amount *= 1.0 - _kept(region, planes, skin)
    return _faded_inwards(amount, preset.feather * radius)


def _kept(region: FloatImage, planes: Planes, skin: Skin) -> FloatMap:
    """Eyes, brows and teeth in the window; large faces are looked at from farther away."""
    radius = min(skin.face.width, skin.face.height) / 2
    middle = skin.face.y - skin.window[0].start
    scale = min(1.0, _FEATURE_RADIUS / radius)
    if scale == 1.0:
        return features(planes, skin.outline, skin.tone, radius, middle)
    small, outline = smaller(region, scale), smaller(skin.outline, scale)
    kept = features(Planes.of(small), outline, skin.tone, radius * scale, middle * scale)
    size = (region.shape[1], region.shape[0])
    return np.asarray(cv2.resize(kept, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _of_tone(planes: Planes, distance: FloatMap, preset: Preset) -> FloatMap:
    """How much each pixel has the tone of skin, float32 [H, W], 0..1, given its distance to it."""
    amount = distance
    amount -= preset.rim_spread
    amount *= 1.0 / (preset.core_spread - preset.rim_spread)
    np.minimum(amount, (planes.luma - _DARKEST) / (_LIT - _DARKEST), out=amount)
    return np.asarray(np.clip(amount, 0.0, 1.0, out=amount))


def _faded_inwards(amount: FloatMap, width: float) -> FloatMap:
    """The same with its border softened; exactly 0 stays exactly 0."""
    side = 2 * max(1, round(width / 2)) + 1
    return np.asarray(np.minimum(amount, cv2.blur(amount, (side, side))), dtype=np.float32)
