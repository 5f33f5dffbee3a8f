"""Cut the head out of an aligned photo, and continue it outwards."""

import cv2
import numpy as np
import numpy.typing as npt

from ..faces import ByteImage, Points
from .alignment import PLACING, AlignedFace, align, similarity

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]
Labels = npt.NDArray[np.uint8]

# The segmentation has a frame of its own, wide enough to show what surrounds a head: pixels from
# eye to eye, width and height, and the point between the eyes.
_EYES = 36
_SIZE = (180, 190)
_MIDDLE = (90, 80)
# Eye, eye, nose, mouth corners of an average face, in eye distances from between the eyes.
_AVERAGE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.5], [-0.42, 0.95], [0.42, 0.95]])
_ROUNDS = 4


def head_matte(photo: ByteImage, landmarks: Points, frame: AlignedFace) -> FloatMap:
    """Tell the head (face, hair, neck) from the photo's background.

    GrabCut (C. Rother et al., 2004) started from where a head lies around eyes and mouth.

    Args:
        photo: uint8 [h, w, 3], RGB.
        landmarks: float64 [5, 2], pixels of the photo, in the order of `Face`.
        frame: the photo aligned to the frame in which the answer is given.

    Returns:
        float32 [H, W], 0..1, in pixels of the frame.
    """
    seen = align(photo, landmarks, _AVERAGE * _EYES + _MIDDLE, _SIZE)
    labels = _prior(seen)
    cv2.setRNGSeed(0)  # its clustering draws from OpenCV's global generator
    cv2.grabCut(
        np.asarray(np.clip(seen.image * 255.0, 0, 255), dtype=np.uint8),
        labels,
        (0, 0, 1, 1),  # not read in this mode
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        _ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    head = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    # Background that shines through along the contour would be seen as a halo.
    head = np.asarray(cv2.erode(head, np.ones((3, 3), dtype=np.uint8)), dtype=np.uint8)
    soft = cv2.GaussianBlur(head.astype(np.float32), (0, 0), 1.2)
    back = similarity(seen.landmarks, frame.landmarks, PLACING)
    matte = cv2.warpAffine(soft, back, frame.image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(matte, 0.0, 1.0), dtype=np.float32)


def fill_behind(image: FloatImage, matte: FloatMap) -> FloatImage:
    """Continue the head's colours smoothly to where its photo ends or shows something else.

    Sums of colour and of matte are blurred at growing radii, and the finest radius that has seen
    enough of the head decides (push-pull, as in S. Gortler et al., "The lumigraph", 1996).

    Args:
        image: float32 [H, W, 3], 0..1.
        matte: float32 [H, W], 0..1, not 0 everywhere.

    Returns:
        float32 [H, W, 3]: the image under the matte, its continuation elsewhere.
    """
    levels = [(image * matte[..., None], matte)]
    while min(levels[-1][1].shape) > 2:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    colour, weight = levels.pop()
    mean = image.reshape(-1, 3).T @ matte.ravel() / max(float(matte.sum()), 1e-6)
    mixed = colour / np.maximum(weight, 1e-6)[..., None]
    filled = np.where(weight[..., None] > 1e-4, mixed, mean).astype(np.float32)
    for colour, weight in reversed(levels):
        coarse = cv2.resize(filled, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        gap = 1.0 - np.clip(weight, 0, 1)[..., None]
        filled = np.asarray(colour + coarse * gap, dtype=np.float32)
    return filled


def _halved(part: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """One step down a Gaussian pyramid."""
    return np.asarray(cv2.pyrDown(part), dtype=np.float32)


def _prior(face: AlignedFace) -> Labels:
    """First labels for GrabCut: surely face, likely head or body, likely and surely background."""
    across, down = face.face_axes()
    labels = np.full(face.image.shape[:2], cv2.GC_PR_BGD, dtype=np.uint8)
    hair = (across / 1.45) ** 2 + ((down + 0.2) / 1.6) ** 2 < 1
    neck = (np.abs(across) < 0.7) & (down > 1)
    labels[hair | neck] = cv2.GC_PR_FGD
    labels[(np.abs(across) > 1.9) & (down < 1.2)] = cv2.GC_BGD
    labels[down < -2.0] = cv2.GC_BGD
    labels[(across / 0.95) ** 2 + ((down - 0.4) / 1.2) ** 2 < 1] = cv2.GC_FGD
    return labels
