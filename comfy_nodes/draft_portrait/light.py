"""Match a photographed face to the colour and light of the painting it moves into.

Colours are CIE L*a*b* as OpenCV gives them for float images: L 0..100, a and b around 0.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .opening import Opening

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]

# The brightest percent of a well exposed photo lies about here.
_WHITE = 0.92
_MOST_GAIN = 2.4
# How far the complexion may move towards the painted one: the child stays recognisable.
_TONE_PULL = 0.45
_MOST_LIGHTER = 9.0
_MOST_DARKER = 9.0
_CHROMA_PULL = 0.5
_EVEN_HUE = 0.6
# Below this chroma the photo is black and white, and the painting lends its skin colour.
_GREY_CHROMA = (3.0, 8.0)
_PAINTED_CHROMA = 1.2
_SHADE_LIFT = 0.34
_SHADE_RED, _MOST_SHADE_RED = 0.6, 12.0
_SHADE_YELLOW, _MOST_SHADE_YELLOW = 0.45, 9.0
_OWN_SHADING_KEPT = 0.35
_PAINTED_SHADING = 0.7
_MOST_SHADING = 9.0


@dataclass(frozen=True)
class PaintedLight:
    """What the placeholder face says about the painting.

    Attributes:
        skin: median L*, a*, b* of its skin.
        across, down: change of L* from the middle of the opening to its right and lower end.
    """

    skin: tuple[float, float, float]
    across: float
    down: float


def read_light(character: FloatImage, opening: Opening) -> PaintedLight:
    """Read skin tone and direction of light off the placeholder face.

    A plane is fitted to the lightness of the skin, without the painted features, which lie far
    from the median.

    Args:
        character: float32 [H, W, 3], RGB, 0..1, the whole page.
        opening: where the placeholder face is.

    Returns:
        its light.
    """
    rows, columns = opening.window(character.shape[1], character.shape[0], 0)
    y, x = np.mgrid[rows, columns].astype(np.float32)
    across, down = opening.upright(x, y)
    u, v = across / (opening.width / 2), down / (opening.height / 2)
    lab = lab_of(np.ascontiguousarray(character[rows, columns]))
    inner = np.hypot(u, v) < 0.8
    skin = np.median(lab[inner], axis=0)
    near = inner & (np.linalg.norm(lab - skin, axis=2) < 14.0)
    terms = np.stack([np.ones(near.sum()), u[near], v[near]], axis=1)
    plane = np.linalg.lstsq(terms, lab[near][:, 0].astype(np.float64), rcond=None)[0]
    slope = np.clip(plane[1:], -_MOST_SHADING, _MOST_SHADING)
    return PaintedLight(
        (float(skin[0]), float(skin[1]), float(skin[2])), float(slope[0]), float(slope[1])
    )


def expose(image: FloatImage, white: float) -> FloatImage:
    """Brighten an underexposed photo so that its white is white; never darken one.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        white: luma that 99 % of the photo's pixels stay below, 0..1.

    Returns:
        float32 [H, W, 3], 0..1.
    """
    gain = float(np.clip(_WHITE / max(white, 1e-3), 1.0, _MOST_GAIN))
    return np.asarray(np.clip(image * np.float32(gain), 0.0, 1.0), dtype=np.float32)


def relight(
    image: FloatImage, skin: FloatMap, light: PaintedLight, u: FloatMap, v: FloatMap
) -> FloatImage:
    """Give a face the light of the painting, and a little of its skin tone.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        skin: float32 [H, W], 0..1; above 0.5 in the middle of the face, not 0 everywhere.
        light: what the placeholder showed.
        u, v: float32 [H, W], place in the opening, -1..1 from rim to rim of its axes.

    Returns:
        float32 [H, W, 3], RGB, 0..1.
    """
    lab = lab_of(image)
    own = np.median(lab[skin > 0.5], axis=0)
    lab = _one_complexion(lab, own, skin)
    lab = _tinted(lab, own, light)
    tone = float(np.clip((light.skin[0] - own[0]) * _TONE_PULL, -_MOST_DARKER, _MOST_LIGHTER))
    lab = _painted_shade(lab, float(own[0]), skin)
    lightness = _even_out(lab[..., 0], skin) + tone
    lightness += _PAINTED_SHADING * (light.across * u + light.down * v)
    lab[..., 0] = np.clip(lightness, 0.0, 100.0)
    return rgb_of(lab)


def _one_complexion(lab: FloatImage, own: npt.NDArray[np.float32], skin: FloatMap) -> FloatImage:
    """Even out the patches of hue that mixed light leaves on skin; lips keep their red."""
    depth = own[0] - lab[..., 0]
    like_skin = np.clip(1.6 - np.abs(depth) / 22.0, 0.0, 1.0) * skin
    lips = np.clip((lab[..., 1] - own[1] - 4.0) / 6.0, 0.0, 1.0)
    share = _EVEN_HUE * like_skin
    result = lab.copy()
    result[..., 1] += share * (1.0 - lips) * (own[1] - lab[..., 1])
    result[..., 2] += share * (own[2] - lab[..., 2])
    return result


def _tinted(lab: FloatImage, own: npt.NDArray[np.float32], light: PaintedLight) -> FloatImage:
    """Move colours towards the painted skin, most where the photo has no colour of its own."""
    wanted = np.asarray(light.skin, dtype=np.float32)
    low, high = _GREY_CHROMA
    colourful = float(np.clip((np.hypot(own[1], own[2]) - low) / (high - low), 0.0, 1.0))
    pull = 1.0 - colourful * (1.0 - _CHROMA_PULL)
    # Hair, eyes and teeth take less part in the tint the further they are from skin's lightness.
    # In a black and white photo they need more of it, or they would look blue beside the skin.
    above = lab[..., :1] - own[0]
    share = np.where(above > 0, 1.0 - above / 18.0, 1.0 + above / 60.0)
    share = np.clip(share, 0.25 + 0.55 * (1.0 - colourful), 1.0)
    result = lab.copy()
    result[..., 1:] += (wanted[1:] - own[1:]) * pull * share
    result[..., 1:] *= 1.0 + (_PAINTED_CHROMA - 1.0) * colourful
    return np.asarray(result, dtype=np.float32)


def _painted_shade(lab: FloatImage, middle: float, skin: FloatMap) -> FloatImage:
    """Shade as painters do: lighter and with a warmer colour where a camera records a grey."""
    depth = np.clip(middle - lab[..., 0], 0.0, 60.0)
    # Deeper than this are hair, nostrils and pupils, which stay nearly as they are.
    share = np.clip((60.0 - depth) / 30.0, 0.0, 1.0) * (0.5 + 0.5 * skin)
    result = lab.copy()
    result[..., 0] += _SHADE_LIFT * depth * share
    result[..., 1] += np.minimum(_SHADE_RED * depth, _MOST_SHADE_RED) * share
    result[..., 2] += np.minimum(_SHADE_YELLOW * depth, _MOST_SHADE_YELLOW) * share
    return result


def lab_of(image: FloatImage) -> FloatImage:
    """RGB 0..1 to L*a*b*, float32 [H, W, 3]."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2Lab), dtype=np.float32)


def rgb_of(lab: FloatImage) -> FloatImage:
    """L*a*b* to RGB, float32 [H, W, 3], cut to 0..1."""
    image = cv2.cvtColor(np.ascontiguousarray(lab, dtype=np.float32), cv2.COLOR_Lab2RGB)
    return np.asarray(np.clip(image, 0.0, 1.0), dtype=np.float32)


def _even_out(lightness: FloatMap, skin: FloatMap) -> FloatMap:
    """Weaken the photo's own broad shading, which fights with the painting's light."""
    weight = np.asarray(skin, dtype=np.float32)
    sigma = 0.07 * max(lightness.shape)
    broad = cv2.GaussianBlur(lightness * weight, (0, 0), sigma)
    seen = cv2.GaussianBlur(weight, (0, 0), sigma)
    middle = float((lightness * weight).sum() / max(float(weight.sum()), 1e-6))
    bias = np.where(seen > 0.02, broad / np.maximum(seen, 0.02) - middle, 0.0)
    reach = np.clip(seen * 2.0, 0.0, 1.0)
    return np.asarray(lightness - (1.0 - _OWN_SHADING_KEPT) * bias * reach, dtype=np.float32)
