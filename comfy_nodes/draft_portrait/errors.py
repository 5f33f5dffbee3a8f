"""What a draft portrait can refuse, beside what is wrong with the photo's face."""

from ..faces import FaceError


class ModelMissingError(FaceError):
    """The face detection model is not where it should be, or can't be read."""

    code = "face_model_missing"
