"""What a draft portrait can refuse. Every message starts with a stable code and a colon.

FaceError
├── NoFaceError          no_face
├── SeveralFacesError    several_faces
├── FaceTooSmallError    face_too_small
└── ModelMissingError    face_model_missing
"""

from typing import ClassVar


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


class ModelMissingError(FaceError):
    """The face detection model is not where it should be, or can't be read."""

    code = "face_model_missing"
