"""Where a face goes before a network sees it: ArcFace's 112 and FFHQ's 512 pixel squares."""

from typing import Final

import cv2
import numpy as np

from ...draft_portrait.alignment import similarity
from ...faces import ByteImage, NoFaceError, Points

ARCFACE_SIDE: Final = 112
# Eyes, nose and corners of the mouth as ArcFace (Deng et al. 2019) was trained with.
ARCFACE_POINTS: Final[Points] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]]
)  # fmt: skip
FFHQ_SIDE: Final = 512
# The same five points, averaged over FFHQ's faces, as facexlib aligns to.
FFHQ_POINTS: Final[Points] = np.array(
    [[192.98138, 239.94708], [318.90277, 240.1936], [256.63416, 314.01935],
     [201.26117, 371.41043], [313.08905, 371.15118]]
)  # fmt: skip
# RGB; facexlib names it (135, 133, 132) and works in BGR.
_FFHQ_BORDER: Final = (132, 133, 135)


def arcface_matrix(landmarks: Points) -> Points:
    """Least-squares similarity from landmarks [5, 2] to ArcFace's square, float64 [2, 3].

    Raises:
        NoFaceError: all landmarks coincide.
    """
    try:
        return similarity(np.asarray(landmarks, np.float64), ARCFACE_POINTS, np.ones(5))
    except ValueError as error:
        raise NoFaceError("the face's landmarks coincide") from error


def ffhq_matrix(landmarks: Points) -> Points:
    """Similarity from landmarks [5, 2] to FFHQ's square by least median of squares, [2, 3].

    Robust: a landmark that is far off doesn't turn the face.

    Raises:
        NoFaceError: the landmarks coincide.
    """
    points = np.asarray(landmarks, np.float64)
    matrix, _ = cv2.estimateAffinePartial2D(points, FFHQ_POINTS, method=cv2.LMEDS)
    # OpenCV may answer with nothing, though its annotations don't say so.
    found = np.asarray(matrix, dtype=np.float64)
    if found.shape != (2, 3) or not bool(np.isfinite(found).all()):
        raise NoFaceError("the face's landmarks coincide")
    return found


def arcface_crop(photo: ByteImage, landmarks: Points) -> ByteImage:
    """The face as ArcFace wants it, uint8 [112, 112, 3]; black where the photo ends."""
    size = (ARCFACE_SIDE, ARCFACE_SIDE)
    return np.asarray(cv2.warpAffine(photo, arcface_matrix(landmarks), size), dtype=np.uint8)


def ffhq_crop(photo: ByteImage, landmarks: Points) -> ByteImage:
    """The head as the parser wants it, uint8 [512, 512, 3]; grey where the photo ends."""
    size = (FFHQ_SIDE, FFHQ_SIDE)
    crop = cv2.warpAffine(
        photo,
        ffhq_matrix(landmarks),
        size,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=_FFHQ_BORDER,
    )
    return np.asarray(crop, dtype=np.uint8)
