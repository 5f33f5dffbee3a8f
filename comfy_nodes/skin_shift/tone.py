"""The tone of skin: chroma relative to luma, which light and shade leave alone."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]
BoolMap = npt.NDArray[np.bool_]

# Cb and Cr of skin in 8-bit units: the box of Chai and Ngan, "Face segmentation using skin-color
# map in videophone applications" (1999), with Cr a little wider for paintings.
_CB_RANGE = (77.0, 127.0)
_CR_RANGE = (133.0, 180.0)
# Relative chroma beyond which no skin is: orange cloth and lips of a doll are.
_MOST_RED, _MOST_YELLOW = 0.55, 0.75
_DARKEST = 0.08
# The least spread of a face's chroma: a flat painting has hardly any of its own.
_LEAST_SPREAD = 0.015
# Chroma farther off than this many spreads belongs to brows and lips, and doesn't count.
_OUTLYING = 2.5
_ROUNDS = 3


@dataclass(frozen=True)
class Planes:
    """An image as luma and relative chroma, each float32 [H, W].

    Attributes:
        luma: Y of BT.601, 0..1.
        red: (R - Y) / Y, which is Cr over luma up to a factor.
        yellow: (Y - B) / Y, which is -Cb over luma up to a factor.
    """

    luma: FloatMap
    red: FloatMap
    yellow: FloatMap

    @classmethod
    def of(cls, image: FloatImage) -> "Planes":
        """The planes of an image, float32 [H, W, 3], RGB, 0..1."""
        red, _, blue = cv2.split(image)
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        floor = np.maximum(_float(luma), np.float32(_DARKEST / 4))
        red = _float(cv2.divide(red, floor))
        yellow = _float(cv2.divide(blue, floor))
        red -= np.float32(1.0)
        np.subtract(1.0, yellow, out=yellow)
        return cls(_float(luma), red, yellow)

    def looks_like_skin(self) -> BoolMap:
        """Where the colour may be that of anybody's skin, bool [H, W]."""
        # Cr - 128 = 0.713 · 255 · (R - Y) and Cb - 128 = 0.564 · 255 · (B - Y).
        cr = self.red * self.luma * np.float32(0.713 * 255) + 128
        cb = 128 - self.yellow * self.luma * np.float32(0.564 * 255)
        in_box = (
            (cr > _CR_RANGE[0]) & (cr < _CR_RANGE[1]) & (cb > _CB_RANGE[0]) & (cb < _CB_RANGE[1])
        )
        sober = (self.red < _MOST_RED) & (self.yellow < _MOST_YELLOW)
        return np.asarray(in_box & sober & (self.luma > _DARKEST))


@dataclass(frozen=True)
class Tone:
    """The chroma of one person's skin, as a normal distribution.

    Light and shade stretch a face along one line of the chroma plane (Cr/Y against Cb/Y), on which
    cream fur and hair do not lie though their hues are near: hence distances are Mahalanobis's.

    Attributes:
        centre: median (red, yellow), float32 [2].
        whitening: lower triangular float32 [2, 2]; |whitening · (chroma - centre)| is a distance in
            spreads.
        colour: median RGB of the skin, 0..1.
    """

    centre: npt.NDArray[np.float32]
    whitening: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]

    @classmethod
    def of(cls, image: FloatImage, planes: Planes, where: BoolMap) -> "Tone":
        """The tone of the pixels `where`, bool [H, W], of which there is at least one."""
        chroma = np.stack([planes.red[where], planes.yellow[where]], axis=1).astype(np.float64)
        kept, centre, whitening = chroma, chroma[0], np.eye(2)
        for _ in range(_ROUNDS):
            centre = np.median(kept, axis=0)
            off = kept - centre
            spread = off.T @ off / len(off) + np.eye(2) * _LEAST_SPREAD**2
            whitening = np.linalg.cholesky(np.linalg.inv(spread)).T
            near = np.linalg.norm((chroma - centre) @ whitening.T, axis=1) < _OUTLYING
            kept = chroma[near] if near.any() else kept
        return cls(_float(centre), _float(whitening), _float(np.median(image[where], axis=0)))

    def distance(self, planes: Planes) -> FloatMap:
        """How far each pixel's chroma is from this tone, in spreads; float32 [H, W]."""
        return self._far(planes, redder_counts=True)

    def yellowness(self, planes: Planes) -> FloatMap:
        """The same, but 0 for what is redder than skin, as lips are; float32 [H, W]."""
        return self._far(planes, redder_counts=False)

    def _far(self, planes: Planes, *, redder_counts: bool) -> FloatMap:
        (a, b), (_, d) = self.whitening
        across = planes.red * a
        across += planes.yellow * b
        across -= a * self.centre[0] + b * self.centre[1]
        along = planes.yellow * d
        along -= d * self.centre[1]
        distance = _float(cv2.magnitude(across, along))
        if not redder_counts:
            # `across` falls with red: the first row of the whitening is the hue.
            distance[across * np.sign(a) > 0] = 0
        return distance


def _float(values: npt.NDArray[np.generic] | cv2.typing.MatLike) -> FloatMap:
    return np.asarray(values, dtype=np.float32)
