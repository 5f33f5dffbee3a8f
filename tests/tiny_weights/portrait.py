"""Where the face of the portrait is that the tests use: what the tiny detectors say they see."""

from typing import Final

import numpy as np
import numpy.typing as npt

SIZE: Final = 512
"""Width and height of the portrait (scikit-image's astronaut) in pixels."""

BOX: Final = (172.0, 58.0, 280.0, 196.0)
"""Left, top, right and bottom of the face in pixels of the portrait, read off by eye."""

LANDMARKS: Final[npt.NDArray[np.float32]] = np.array(
    [[203, 101], [248, 103], [226, 131], [207, 151], [247, 152]], dtype=np.float32
)
"""Eyes, tip of the nose and corners of the mouth, left to right; x, y [5, 2] in pixels."""
