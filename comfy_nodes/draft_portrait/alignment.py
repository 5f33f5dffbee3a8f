"""Bring a photographed face into the place of a painted one."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..faces import ByteImage, Points

FloatImage = npt.NDArray[np.float32]
FloatMap = npt.NDArray[np.float32]

PLACING = np.array([1.0, 1.0, 0.0, 0.8, 0.8])
"""Weights of the landmarks: eyes and mouth place a face, the nose moves with every turn of it."""

_KNOWN = 0.99
_SAME_POINT = 1e-6  # square pixels


@dataclass(frozen=True)
class AlignedFace:
    """A photo seen through a frame; where the photo ends, its border continues.

    Attributes:
        image: float32 [H, W, 3], RGB, 0..1.
        known: float32 [H, W], 0..1; below 1 where the photo has no pixel.
        landmarks: float64 [5, 2], pixels of the frame, in the order of `Face`.
    """

    image: FloatImage
    known: FloatMap
    landmarks: Points

    @property
    def eye_distance(self) -> float:
        """Distance of the eyes in pixels of the frame."""
        return float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))

    def face_axes(self) -> tuple[FloatMap, FloatMap]:
        """Each pixel's place on the face in eye distances: rightwards and down from mid-eyes."""
        left, right = self.landmarks[0], self.landmarks[1]
        unit = (right - left) / self.eye_distance**2
        height, width = self.image.shape[:2]
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        middle = (left + right) / 2
        dx, dy = x - np.float32(middle[0]), y - np.float32(middle[1])
        across = dx * np.float32(unit[0]) + dy * np.float32(unit[1])
        down = dy * np.float32(unit[0]) - dx * np.float32(unit[1])
        return np.asarray(across), np.asarray(down)


def similarity(source: Points, target: Points, weights: npt.NDArray[np.float64]) -> Points:
    """Weighted least-squares similarity (turn, scale, shift; no mirror) between point sets.

    Written in complex numbers, target = a · source + b is linear in a and b, and its solution is
    that of linear regression.

    Args:
        source: float64 [N, 2].
        target: float64 [N, 2].
        weights: float64 [N], not all 0.

    Returns:
        float64 [2, 3], the matrix that `cv2.warpAffine` takes.

    Raises:
        ValueError: all source points coincide.
    """
    w = weights / weights.sum()
    s, t = source @ (1, 1j), target @ (1, 1j)
    s_mean, t_mean = w @ s, w @ t
    spread = w @ np.abs(s - s_mean) ** 2
    if spread < _SAME_POINT:
        raise ValueError("points that coincide give no similarity")
    a = (w @ ((t - t_mean) * np.conj(s - s_mean))) / spread
    b = t_mean - a * s_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(
    photo: ByteImage, landmarks: Points, target: Points, size: tuple[int, int]
) -> AlignedFace:
    """Warp a photo so that its face lies on the target landmarks.

    Args:
        photo: uint8 [H, W, 3], RGB.
        landmarks: float64 [5, 2], pixels of the photo, in the order of `Face`.
        target: float64 [5, 2], pixels of the frame.
        size: width and height of the frame in pixels.

    Returns:
        the photo in the frame.

    Raises:
        ValueError: all landmarks coincide.
    """
    matrix = similarity(landmarks, target, PLACING)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    # A warp that shrinks takes single pixels: smooth first, or hair turns to glitter.
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.5 / scale) if scale < 1 else photo
    warped = cv2.warpAffine(
        smooth, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    image = np.asarray(warped, dtype=np.float32) / np.float32(255.0)
    moved = landmarks @ matrix[:, :2].T + matrix[:, 2]
    known = cv2.warpAffine(np.ones(photo.shape[:2], dtype=np.float32), matrix, size)
    return AlignedFace(image, np.asarray(known, dtype=np.float32), np.asarray(moved))


def calm_beyond(face: AlignedFace) -> FloatImage:
    """Blur what continues a photo's border: a repeated row of pixels makes stripes.

    Args:
        face: the aligned photo.

    Returns:
        float32 [H, W, 3], RGB, 0..1; within the photo unchanged but for a narrow passage.
    """
    known = face.known >= _KNOWN
    if bool(known.all()):
        return face.image
    sigma = 0.25 * face.eye_distance
    beyond = np.asarray(~known, dtype=np.float32)
    total = cv2.GaussianBlur(face.image * beyond[..., None], (0, 0), sigma)
    weight = cv2.GaussianBlur(beyond, (0, 0), sigma)
    blurred = total / np.maximum(weight, 1e-3)[..., None]
    # The passage lies within the photo, where both are known.
    depth = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 3)
    share = np.clip(depth / (0.3 * sigma), 0.0, 1.0)[..., None]
    return np.asarray(face.image * share + blurred * (1.0 - share), dtype=np.float32)
