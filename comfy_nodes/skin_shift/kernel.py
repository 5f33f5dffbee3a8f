"""Darken painted or photographed skin by multiplication, and nothing else."""

import cv2
import numpy as np
import numpy.typing as npt

from .presets import PRESETS

FloatImage = npt.NDArray[np.float32]
FloatMask = npt.NDArray[np.float32]

# Cb and Cr of skin in 8-bit units. The outer box is the one of Chai and Ngan, "Face segmentation
# using skin-color map in videophone applications" (1999): Cb 77..127, Cr 133..173; membership
# rises from 0 on its border to 1 over the ramp, so that a shaded cheek has no hard edge.
_CB_RANGE = (77.0, 127.0)
_CR_RANGE = (133.0, 180.0)
_RAMP = 6.0
# Below this luma chroma is noise, and there is no skin to be seen.
_LUMA_FLOOR = (0.08, 0.20)


def skin_membership(image: FloatImage) -> FloatMask:
    """Say how much each pixel's colour is that of skin.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.

    Returns:
        float32 [H, W], 0..1; exactly 0 where the colour is not that of skin.

    Raises:
        ValueError: the image has another shape.
    """
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"an image has shape [H, W, 3], not {image.shape}")
    ycc = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    luma, cr, cb = (np.asarray(part, dtype=np.float32) for part in cv2.split(ycc))
    low, high = _LUMA_FLOOR
    # In place: temporaries of this size would cost more than the arithmetic.
    luma -= low
    luma /= high - low
    alike = np.minimum(_ramped(cb, *_CB_RANGE), _ramped(cr, *_CR_RANGE), out=cb)
    np.minimum(alike, luma, out=alike)
    return np.asarray(np.clip(alike, 0.0, 1.0, out=alike))


def _ramped(chroma: FloatMask, low: float, high: float) -> FloatMask:
    """Overwrite chroma: 0 at both ends of a range in 8-bit units, negative beyond them."""
    chroma -= (low + high) / 2 / 255
    np.abs(chroma, out=chroma)
    chroma *= -255 / _RAMP
    chroma += (high - low) / 2 / _RAMP
    return chroma


def shift(image: FloatImage, person: FloatMask, preset: str, strength: float) -> FloatImage:
    """Multiply the person's skin by a preset's RGB factors.

    factor = 1 + strength · person · skin · (preset - 1) per channel: shading and edges survive,
    and a pixel that is not of the person, or not of skin colour, keeps its bits.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        person: float32 [H, W], 0..1; 1 is the person.
        preset: a name in `PRESETS`.
        strength: 0..1.

    Returns:
        float32 [H, W, 3], RGB, 0..1; the very image given for "off", strength 0 or no person.

    Raises:
        ValueError: shapes differ, the preset is unknown, or the strength is out of range.
    """
    check(preset, strength)
    if image.ndim != 3 or image.shape[2] != 3 or image.shape[:2] != person.shape:
        raise ValueError(f"image {image.shape} and person mask {person.shape} do not fit")
    factors = np.asarray(PRESETS[preset], dtype=np.float32)
    x, y, width, height = cv2.boundingRect((person > 0).astype(np.uint8))
    if width == 0 or strength == 0 or bool((factors == 1).all()):
        return image
    window = (slice(y, y + height), slice(x, x + width))
    region = np.ascontiguousarray(image[window])
    skin = skin_membership(region)
    # The average calms lone pixels; the product keeps what is not skin at exactly zero.
    calm = cv2.multiply(skin, cv2.blur(skin, (5, 5)))
    amount = cv2.multiply(calm, np.ascontiguousarray(person[window]), scale=strength)
    scale = cv2.transform(amount, np.stack([factors - 1.0, np.ones(3, np.float32)], axis=1))
    result = image.copy()
    result[window] = cv2.multiply(region, scale)
    return result


def check(preset: str, strength: float) -> None:
    """Raise ValueError unless the preset is known and the strength lies in 0..1."""
    if preset not in PRESETS:
        raise ValueError(f"skin preset {preset!r} is not one of {', '.join(PRESETS)}")
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength lies in 0..1, not {strength}")
