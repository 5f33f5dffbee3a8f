"""Faces in photos: what a detector found, which one is meant, and what can be wrong with it.

Every error's message starts with a stable code and a colon.

FaceError
├── NoFaceError          no_face
├── SeveralFacesError    several_faces
└── FaceTooSmallError    face_too_small
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

ByteImage = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

# A face this much smaller than the largest one, by area, is a passer-by or a picture on a wall.
_PASSER_BY: Final = 0.15
_SMALLEST_SIDE: Final = 40.0


class FaceError(ValueError):
    """The face in a photo can't be used; `code` is stable, the rest of the message is not."""

    code: ClassVar[str]

    def __init__(self, detail: str) -> None:
        super().__init__(f"{self.code}: {detail}")
        self.detail = detail


class NoFaceError(FaceError):
    """The photo shows no face."""

    code = "no_face"


class SeveralFacesError(FaceError):
    """The photo shows more than one face of similar size."""

    code = "several_faces"


class FaceTooSmallError(FaceError):
    """The face has too few pixels to be recognisable on a page."""

    code = "face_too_small"


@dataclass(frozen=True)
class Face:
    """A face in an image.

    Attributes:
        score: the network's confidence, 0..1.
        box: x, y of the top left corner, width, height; pixels.
        landmarks: float64 [5, 2], x and y in pixels: the eye on the left of the picture, the eye
            on its right, tip of the nose, left and right corner of the mouth.
    """

    score: float
    box: tuple[float, float, float, float]
    landmarks: Points

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.box[2] * self.box[3]


def the_one(faces: Sequence[Face]) -> Face:
    """The face of a photo with one person, of faces sorted from large to small.

    Raises:
        NoFaceError: there is none.
        SeveralFacesError: a second face has at least 15 % of the first one's area.
        FaceTooSmallError: the shorter side of its box is below 40 pixels.
    """
    if not faces:
        raise NoFaceError("no face was found in the photo")
    others = [face for face in faces[1:] if face.area >= _PASSER_BY * faces[0].area]
    if others:
        raise SeveralFacesError(f"{1 + len(others)} faces were found in the photo, one is needed")
    side = min(faces[0].box[2:])
    if side < _SMALLEST_SIDE:
        raise FaceTooSmallError(
            f"the face in the photo is {side:.0f} pixels wide, {_SMALLEST_SIDE:.0f} are needed"
        )
    return faces[0]
