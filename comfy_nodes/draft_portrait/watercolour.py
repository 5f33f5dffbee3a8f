"""Turn a photograph into something painted with watercolour, the same on every run."""

import cv2
import numpy as np
import numpy.typing as npt

from .light import lab_of, rgb_of

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]

_SEED = 1842
_LEVELS = 8
_INK = np.array([0.33, 0.19, 0.15], dtype=np.float32)
_SECTORS = 8


def paint(image: FloatImage, strength: float, unit: float, pixel: float) -> FloatImage:
    """Give a picture the look of a watercolour.

    Edge-preserving smoothing makes washes, soft quantisation lets them pool in tones, their edges
    dry darker, a soft pencil line keeps features, pigment settles in grains, paper shows through.

    Args:
        image: float32 [H, W, 3], RGB, 0..1.
        strength: 0 (unchanged) .. 1.
        unit: the eye distance of the face in pixels: brush sizes are fractions of it.
        pixel: pixels of the image for one pixel of the page: sizes of grains are multiples of it.

    Returns:
        float32 [H, W, 3], RGB, 0..1.

    Raises:
        ValueError: the strength is out of range.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"watercolour strength lies in 0..1, not {strength}")
    if strength == 0:
        return image
    clear = _clarified(image, unit)
    washes = _washes(clear, unit)
    lab = lab_of(washes)
    lab[..., 0] = _pooled(lab[..., 0])
    lab[..., 0] -= _dried_edges(lab[..., 0], unit)
    lab = _granulated(lab, pixel)
    line = _pencil(clear, unit)[..., None]
    painted = rgb_of(lab) * (1.0 - line) + _INK * line
    return np.asarray(image + np.float32(strength) * (painted - image), dtype=np.float32)


def _clarified(image: FloatImage, unit: float) -> FloatImage:
    """Strengthen eyes and mouth, which the page shows small: unsharp mask."""
    soft = cv2.GaussianBlur(image, (0, 0), 0.07 * unit)
    return np.asarray(np.clip(image + 0.35 * (image - soft), 0.0, 1.0), dtype=np.float32)


def _washes(image: FloatImage, unit: float) -> FloatImage:
    """Dab with a broad brush, go over features with a fine one, let neighbouring dabs run."""
    broad = _dabs(image, 0.06 * unit)
    fine = _dabs(image, 0.014 * unit)
    detail = np.abs(fine - broad).max(axis=2)
    features = np.clip(cv2.GaussianBlur(detail, (0, 0), 0.03 * unit) * 14.0 - 0.3, 0.0, 1.0)
    dabbed = broad + (fine - broad) * features[..., None]
    return np.asarray(cv2.bilateralFilter(dabbed, -1, 0.06, 0.02 * unit), dtype=np.float32)


def _dabs(image: FloatImage, radius: float) -> FloatImage:
    """Generalised Kuwahara filter: each pixel takes the colour of its calmest neighbourhoods.

    G. Papari, N. Petkov, P. Campisi, "Artistic edge and corner enhancing smoothing", 2007, with
    Gaussian windows around a pixel in place of sectors: means of the windows, weighted by a high
    power of their inverse variance. It sharpens edges that enlarging has blurred.
    """
    luma = np.asarray(image @ np.array([0.299, 0.587, 0.114], dtype=np.float32))
    stack = np.dstack([image, luma, luma * luma])
    window = np.asarray(cv2.GaussianBlur(stack, (0, 0), radius * 0.6), dtype=np.float32)
    total = np.zeros_like(image)
    weights = np.zeros(luma.shape, dtype=np.float32)
    for turn in np.arange(_SECTORS) * (2.0 * np.pi / _SECTORS):
        shift = np.array([[1, 0, radius * np.cos(turn)], [0, 1, radius * np.sin(turn)]])
        moved = cv2.warpAffine(window, shift, luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        variance = np.maximum(moved[..., 4] - moved[..., 3] ** 2, 0.0)
        weight = 1.0 / (variance * 1e4 + 0.4) ** 3
        total += moved[..., :3] * weight[..., None]
        weights += weight
    return np.asarray(total / weights[..., None], dtype=np.float32)


def _pooled(lightness: FloatMap) -> FloatMap:
    """Pull L* towards a few tones, softly, so that washes get borders but no posterised steps."""
    step = 100.0 / _LEVELS
    place = lightness / step
    nearest = np.round(place)
    pooled = (nearest + 0.5 * np.tanh(3.0 * (place - nearest)) / np.tanh(1.5)) * step
    return np.asarray(0.35 * lightness + 0.65 * pooled, dtype=np.float32)


def _dried_edges(lightness: FloatMap, unit: float) -> FloatMap:
    """How much darker, in L*, pigment dried along the border of a lighter wash."""
    fine = cv2.GaussianBlur(lightness, (0, 0), 0.018 * unit)
    broad = cv2.GaussianBlur(lightness, (0, 0), 0.07 * unit)
    return np.asarray(np.clip(0.35 * (broad - fine), 0.0, 7.0), dtype=np.float32)


def _pencil(image: FloatImage, unit: float) -> FloatMap:
    """Opacity of a soft line along dark features, 0..0.7.

    Extended difference of Gaussians (H. Winnemöller, "XDoG", 2011) without its hard threshold.
    """
    lightness = lab_of(image)[..., 0] / np.float32(100.0)
    fine = cv2.GaussianBlur(lightness, (0, 0), 0.022 * unit)
    broad = cv2.GaussianBlur(lightness, (0, 0), 0.055 * unit)
    return np.asarray(0.7 * np.tanh(np.clip((broad - fine) - 0.018, 0.0, 1.0) * 9.0))


def _granulated(lab: FloatImage, pixel: float) -> FloatImage:
    """Let pigment settle unevenly: more where there is more of it; bring out the paper."""
    height, width = lab.shape[:2]
    random = np.random.default_rng(_SEED)
    cloud = _noise(random, (height, width), 34.0 * pixel)
    drift = _noise(random, (height, width), 24.0 * pixel)
    mottle = _noise(random, (height, width), 9.0 * pixel)
    tooth = _noise(random, (height, width), 2.4 * pixel)
    pigment = 0.3 + 0.7 * (1.0 - lab[..., 0] / 100.0)
    result = lab.copy()
    result[..., 0] += pigment * (2.4 * cloud + 2.0 * mottle + 2.2 * tooth) + 0.7 * tooth
    result[..., 1] += 0.9 * drift
    result[..., 2] += 1.1 * cloud
    return result


def _noise(random: np.random.Generator, shape: tuple[int, int], size: float) -> FloatMap:
    """Smooth noise of unit variance, with blobs of about `size` pixels; float32 [H, W]."""
    # Drawn at the blobs' own scale: a wide blur of fine noise costs more and looks the same.
    step = max(1.0, size / 2.0)
    small = (max(4, round(shape[0] / step)), max(4, round(shape[1] / step)))
    white = random.standard_normal(small, dtype=np.float32)
    smooth = cv2.resize(
        cv2.GaussianBlur(white, (0, 0), 1.0), shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    return np.asarray((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6), dtype=np.float32)
