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
_MOST_RED, _MOST_YELLOW = 0.55, 0.55
_DARKEST = 0.08
# The least spread of a face's chroma: a flat painting has hardly any of its own.
_LEAST_SPREAD = 0.015
# Chroma farther off than this many spreads belongs to brows and lips, and doesn't count.
_OUTLYING = 2.5
_ROUNDS = 3
# Pixels beyond this many say nothing new about a tone.
_ENOUGH = 1000
# How fast chroma may rise as luma falls, and how much light must vary to tell.
_STEEPEST, _LEAST_LIGHT = 0.9, 0.03
# Chroma stops to fall this far above the luma of light skin: else cream fur were a highlight.
_BRIGHTEST = 0.06
# Skin in shade keeps this part of the luma of skin in light; hair is darker. What is less red than
# this part of the skin's own red is cloth, wall or fur. Flushed skin is at most as red as the last.
_DARKEST_PART, _PALEST_PART = 0.38, 0.38
_MOST_FLUSHED = 0.8


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
    """The chroma of one person's skin, as a normal distribution that moves with the light.

    Shade deepens the colour of skin: the centre is a linear function of luma. About it, chroma
    spreads along one line of the plane (Cr/Y against Cb/Y), on which cream fur and hair do not lie
    though their hues are near: hence distances are Mahalanobis's.

    Attributes:
        luma: of the light skin.
        centre: (red, yellow) at that luma, float32 [2].
        slope: change of the centre by luma, float32 [2].
        whitening: upper triangular float32 [2, 2]; |whitening · (chroma - centre)| is a distance in
            spreads.
        colour: median RGB of the skin, 0..1.
    """

    luma: float
    centre: npt.NDArray[np.float32]
    slope: npt.NDArray[np.float32]
    whitening: npt.NDArray[np.float32]
    colour: npt.NDArray[np.float32]

    @classmethod
    def of(cls, image: FloatImage, planes: Planes, where: BoolMap) -> "Tone":
        """The tone of the pixels `where`, bool [H, W], of which there is at least one."""
        every = np.flatnonzero(where)
        some = every[:: len(every) // _ENOUGH + 1]
        chroma = np.stack([planes.red.ravel()[some], planes.yellow.ravel()[some]], axis=1)
        chroma = chroma.astype(np.float64)
        off_light = planes.luma.ravel()[some].astype(np.float64)
        light = float(np.median(off_light))
        off_light = np.minimum(off_light - light, _BRIGHTEST)
        # A fringe may be a third of what is given: medians of deviations stand that.
        centre = np.median(chroma, axis=0)
        middling = 1.48 * np.median(np.abs(chroma - centre), axis=0)
        near = (np.abs(chroma - centre) < _OUTLYING * (middling + _LEAST_SPREAD)).all(axis=1)
        slope, whitening = np.zeros(2), np.eye(2)
        for _ in range(_ROUNDS):
            near_light = off_light[near] - off_light[near].mean()
            varies = float(near_light @ near_light) + len(near_light) * _LEAST_LIGHT**2
            slope = np.clip(near_light @ chroma[near] / varies, -_STEEPEST, 0.0)
            rest = chroma - np.outer(off_light, slope)
            centre = np.median(rest[near], axis=0)
            off = rest[near] - centre
            spread = off.T @ off / len(off) + np.eye(2) * _LEAST_SPREAD**2
            whitening = np.linalg.cholesky(np.linalg.inv(spread)).T
            inside = np.linalg.norm((rest - centre) @ whitening.T, axis=1) < _OUTLYING
            near = inside if inside.any() else near
        colour = np.median(image.reshape(-1, 3)[some], axis=0)
        return cls(light, _float(centre), _float(slope), _float(whitening), _float(colour))

    def distance(self, planes: Planes) -> FloatMap:
        """How far each pixel's chroma is from this tone, in spreads; float32 [H, W]."""
        return self._far(planes, redder_counts=True)

    def yellowness(self, planes: Planes) -> FloatMap:
        """The same, where being redder at the same yellow, as lips are, counts for nothing."""
        return self._far(planes, redder_counts=False)

    def may_be(self, planes: Planes, distance: FloatMap, most: float) -> BoolMap:
        """Where a pixel may be of this skin, in light, in shade, or flushed; bool [H, W].

        Args:
            planes: of the picture.
            distance: `yellowness` of the same planes.
            most: that distance from which on nothing is skin.
        """
        lit = planes.luma > _DARKEST_PART * self.luma
        pale = planes.red < _PALEST_PART * self.centre[0]
        return np.asarray(lit & ~pale & (planes.red < _MOST_FLUSHED) & (distance < most))

    def _far(self, planes: Planes, *, redder_counts: bool) -> FloatMap:
        (a, b), (_, d) = self.whitening
        (red, yellow), (red_slope, yellow_slope) = self.centre, self.slope
        light = np.minimum(planes.luma - np.float32(self.luma), np.float32(_BRIGHTEST))
        across = planes.red * a
        across += planes.yellow * b
        across -= light * (a * red_slope + b * yellow_slope)
        across -= a * red + b * yellow
        along = planes.yellow * d
        along -= light * (d * yellow_slope)
        along -= d * yellow
        if not redder_counts:
            # `across` rises or falls with red: the first row of the whitening is the hue.
            across = np.minimum(across * np.sign(a), 0)
        return _float(cv2.magnitude(across, along))


def _float(values: npt.NDArray[np.generic] | cv2.typing.MatLike) -> FloatMap:
    return np.asarray(values, dtype=np.float32)
