"""A soft matte that follows the edges of a picture, computed small and applied large.

The guided filter of He, Sun and Tang, "Guided image filtering" (2010), subsampled as in He and Sun,
"Fast guided filter" (2015): near each pixel the mask is fitted as a linear function of the
picture's luma and red chroma, so that the matte crosses an edge where the picture does.
"""

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np

from .region import Window
from .tone import FloatImage, FloatMap

# Variance of the guides below which the picture counts as flat.
_FLAT = 4e-4
# The fit is stretched: it is nothing below the first and all of the skin from the second on. Both
# are low, since an edge that stays light shows more than one that gets dark.
_LEAST, _MOST = 0.12, 0.6


@dataclass(frozen=True)
class Matte:
    """Coefficients of a matte: clip(luma · by_luma + red · by_red + rest), all float32 [h, w].

    The picture's own resolution may be larger than that of the coefficients.
    """

    by_luma: FloatMap
    by_red: FloatMap
    rest: FloatMap

    @classmethod
    def of(cls, image: FloatImage, mask: FloatMap, width: float) -> "Matte":
        """Fit a mask, float32 [h, w], to an image, float32 [h, w, 3].

        Args:
            width: of the soft edge where the picture has none, in pixels. The matte is 0 farther
                off the mask than that.
        """
        reach = max(1, round(width))
        side = (2 * reach + 1, 2 * reach + 1)

        def mean(values: FloatMap) -> FloatMap:
            return np.asarray(cv2.blur(values, side), dtype=np.float32)

        luma, red = guides(image)
        luma_mean, red_mean, mask_mean = mean(luma), mean(red), mean(mask)
        a = mean(luma * luma) - luma_mean * luma_mean + np.float32(_FLAT)
        b = mean(luma * red) - luma_mean * red_mean
        c = mean(red * red) - red_mean * red_mean + np.float32(_FLAT)
        with_luma = mean(luma * mask) - luma_mean * mask_mean
        with_red = mean(red * mask) - red_mean * mask_mean
        determinant = a * c - b * b
        by_luma = (c * with_luma - b * with_red) / determinant
        by_red = (a * with_red - b * with_luma) / determinant
        rest = mask_mean - by_luma * luma_mean - by_red * red_mean
        stretch = np.float32(1 / (_MOST - _LEAST))
        support = cv2.dilate(mask, np.ones(side, np.uint8)) * stretch
        return cls(
            mean(by_luma) * support,
            mean(by_red) * support,
            (mean(rest) - np.float32(_LEAST)) * support,
        )

    def enlarged(self, window: Window) -> tuple[Window, "Matte"] | None:
        """The same at the picture's own resolution, and the part of the picture it is above 0 in.

        Args:
            window: rows and columns of the picture that the coefficients cover.

        Returns:
            A smaller window and its coefficients; None if they are 0 all over.
        """
        x, y, width, height = cv2.boundingRect((self.rest != 0).astype(np.uint8))
        if not width:
            return None
        top, left = window[0].start, window[1].start
        size = (window[1].stop - left, window[0].stop - top)
        across, down = size[0] / self.rest.shape[1], size[1] / self.rest.shape[0]
        rows = slice(max(0, int((y - 1) * down)), min(size[1], ceil((y + height + 1) * down)))
        columns = slice(max(0, int((x - 1) * across)), min(size[0], ceil((x + width + 1) * across)))

        def large(part: FloatMap) -> FloatMap:
            if size == part.shape[::-1]:
                return part[rows, columns]
            resized = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
            return np.asarray(resized, dtype=np.float32)[rows, columns]

        placed = (
            slice(top + rows.start, top + rows.stop),
            slice(left + columns.start, left + columns.stop),
        )
        return placed, Matte(large(self.by_luma), large(self.by_red), large(self.rest))

    def amount(self, image: FloatImage, rows: slice) -> FloatMap:
        """The matte of some rows of an image of this shape, float32 [rows, W], 0..1."""
        luma, red = guides(image)
        luma *= self.by_luma[rows]
        red *= self.by_red[rows]
        luma += red
        luma += self.rest[rows]
        return np.asarray(np.clip(luma, 0, 1, out=luma))


def guides(image: FloatImage) -> tuple[FloatMap, FloatMap]:
    """Luma, and red less luma, of an image; each float32 [h, w]."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    red = cv2.subtract(cv2.extractChannel(image, 0), luma)
    return np.asarray(luma, dtype=np.float32), np.asarray(red, dtype=np.float32)
