"""The face opening of a template: where a painted hood, hat or helmet shows the face."""

from dataclasses import dataclass
from math import cos, hypot, radians, sin

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]
FloatMap = npt.NDArray[np.float32]

# Where a template's placeholder face has its features, in widths and heights of the opening.
_EYE_LINE = 0.42
_EYE_DISTANCE = 0.44
_MOUTH_LINE = 0.75
_MOUTH_WIDTH = 0.38
_NOSE_LINE = 0.61


@dataclass(frozen=True)
class Opening:
    """An ellipse on the page.

    Attributes:
        x, y: the centre in pixels from the top left corner of the page.
        width, height: full axes in pixels, before the ellipse is turned.
        angle: degrees by which the ellipse is turned clockwise as seen on the page; at a positive
            angle the top of the head leans to the right of the picture.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float

    def __post_init__(self) -> None:
        values = (self.x, self.y, self.width, self.height, self.angle)
        if not np.isfinite(values).all() or min(self.width, self.height) < 16:
            raise ValueError(f"a face opening has axes of at least 16 pixels, not {self}")

    def landmarks(self) -> Points:
        """Where the face belongs: float64 [5, 2], page pixels, in the order of `Face`."""
        upright = np.array(
            [
                [-_EYE_DISTANCE / 2, _EYE_LINE - 0.5],
                [_EYE_DISTANCE / 2, _EYE_LINE - 0.5],
                [0.0, _NOSE_LINE - 0.5],
                [-_MOUTH_WIDTH / 2, _MOUTH_LINE - 0.5],
                [_MOUTH_WIDTH / 2, _MOUTH_LINE - 0.5],
            ]
        ) * (self.width, self.height)
        turn = radians(self.angle)
        clockwise = np.array([[cos(turn), -sin(turn)], [sin(turn), cos(turn)]])
        return np.asarray(upright @ clockwise.T + (self.x, self.y))

    def window(self, page_width: int, page_height: int, margin: int) -> tuple[slice, slice]:
        """Rows and columns of the page that hold the opening and a margin in pixels.

        Raises:
            ValueError: the opening reaches beyond the page.
        """
        turn = radians(self.angle)
        half_x = hypot(self.width / 2 * cos(turn), self.height / 2 * sin(turn))
        half_y = hypot(self.width / 2 * sin(turn), self.height / 2 * cos(turn))
        left, right = self.x - half_x, self.x + half_x
        top, bottom = self.y - half_y, self.y + half_y
        if left < 0 or top < 0 or right > page_width or bottom > page_height:
            raise ValueError(f"the face opening {self} reaches beyond the page")
        return (
            slice(max(0, int(top) - margin), min(page_height, int(bottom) + 1 + margin)),
            slice(max(0, int(left) - margin), min(page_width, int(right) + 1 + margin)),
        )

    def upright(self, x: FloatMap, y: FloatMap) -> tuple[FloatMap, FloatMap]:
        """Turn page pixels into the ellipse's own axes, in pixels from its centre."""
        turn = radians(self.angle)
        along = (x - self.x) * cos(turn) + (y - self.y) * sin(turn)
        down = (y - self.y) * cos(turn) - (x - self.x) * sin(turn)
        return along.astype(np.float32), down.astype(np.float32)

    def depth(self, x: FloatMap, y: FloatMap) -> FloatMap:
        """Distance to the rim in pixels, positive inside; exact on the rim, close near it.

        First-order distance to an implicit curve (G. Taubin, "Distance approximations for
        rasterizing implicit curves", 1994): f / |grad f|.
        """
        along, down = self.upright(x, y)
        u, v = along / (self.width / 2), down / (self.height / 2)
        radius = np.maximum(np.hypot(u, v), 1e-6)
        slope = np.hypot(u / (self.width / 2), v / (self.height / 2)) / radius
        return np.asarray((1.0 - radius) / np.maximum(slope, 1e-6), dtype=np.float32)
