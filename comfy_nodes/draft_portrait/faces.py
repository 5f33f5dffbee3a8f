"""Find faces and their five landmarks with the CenterFace network."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from ..faces import ByteImage, Face, the_one
from .errors import ModelMissingError

# Names of the network's four outputs: centre heat map, box size, centre offset, landmarks.
_OUTPUTS = ("537", "538", "539", "540")
_STRIDE = 4
_SEARCH_SIDE = 640
_REFINE_SIDE = 320
# How much of the picture around a face the second look sees, in face box sides.
_REFINE_SPAN = 2.2
_SCORE = 0.5
_OVERLAP = 0.3


def find_faces(photo: ByteImage, model: Path) -> list[Face]:
    """Find all faces, the largest first.

    Args:
        photo: uint8 [H, W, 3], RGB.
        model: the CenterFace ONNX file.

    Returns:
        the faces, possibly none, in pixels of the photo.

    Raises:
        ModelMissingError: the file is missing or is no network that OpenCV can read.
    """
    network = _network(model, _SEARCH_SIDE)
    scale = _SEARCH_SIDE / max(photo.shape[:2])
    whole = cv2.warpAffine(_shrunk(photo, scale), np.eye(2, 3), (_SEARCH_SIDE, _SEARCH_SIDE))
    found = [_mapped(face, 1.0 / scale, (0.0, 0.0)) for face in _detect(network, _bytes(whole))]
    return sorted(found, key=lambda face: face.area, reverse=True)


def the_face(photo: ByteImage, model: Path) -> Face:
    """Find the one face of a portrait photo, and look twice for exact landmarks.

    Args:
        photo: uint8 [H, W, 3], RGB.
        model: the CenterFace ONNX file.

    Returns:
        the face, in pixels of the photo.

    Raises:
        NoFaceError, SeveralFacesError, FaceTooSmallError: see `the_one`.
        ModelMissingError: the file is missing or is no network that OpenCV can read.
    """
    face = the_one(find_faces(photo, model))
    return _refined(photo, face, _network(model, _REFINE_SIDE))


def _refined(photo: ByteImage, face: Face, network: cv2.dnn.Net) -> Face:
    """Detect once more in a close-up, where a stride of 4 pixels is finer; keep the best answer."""
    x, y, width, height = face.box
    span = _REFINE_SPAN * max(width, height)
    scale = _REFINE_SIDE / span
    corner = (x + width / 2 - span / 2, y + height / 2 - span / 2)
    to_closeup = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    smooth = cv2.GaussianBlur(photo, (0, 0), 0.4 / scale) if scale < 1 else photo
    closeup = cv2.warpAffine(
        smooth, to_closeup, (_REFINE_SIDE, _REFINE_SIDE), borderMode=cv2.BORDER_REPLICATE
    )
    centre = np.full(2, _REFINE_SIDE / 2)
    candidates = sorted(
        _detect(network, _bytes(closeup)),
        key=lambda seen: float(np.linalg.norm(seen.landmarks.mean(axis=0) - centre)),
    )
    return _mapped(candidates[0], 1.0 / scale, corner) if candidates else face


def _detect(network: cv2.dnn.Net, image: ByteImage) -> list[Face]:
    """Run the network on a square RGB image of the side it was read for."""
    # The network was trained on RGB without mean or scale.
    network.setInput(cv2.dnn.blobFromImage(image))
    heat, size, offset, marks = (np.asarray(out)[0] for out in network.forward(_OUTPUTS))
    rows, columns = np.nonzero(heat[0] > _SCORE)
    if rows.size == 0:
        return []
    scores = heat[0, rows, columns].astype(np.float64)
    sides = np.exp(size[::-1, rows, columns].T.astype(np.float64)) * _STRIDE
    centres = np.stack([columns, rows], axis=1) + 0.5 + offset[::-1, rows, columns].T
    corners = centres * _STRIDE - sides / 2
    # Landmarks come as y, x pairs in units of the box, from its corner.
    relative = marks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
    landmarks = corners[:, None, :] + relative * sides[:, None, :]
    boxes = np.concatenate([corners, sides], axis=1)
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), _SCORE, _OVERLAP)
    return [
        Face(float(scores[i]), tuple(boxes[i].tolist()), landmarks[i])
        for i in np.asarray(kept, dtype=np.intp).ravel()
    ]


def _mapped(face: Face, scale: float, origin: tuple[float, float]) -> Face:
    """Bring a face from a scaled crop back to the image the crop was taken from."""
    x, y, width, height = face.box
    box = (x * scale + origin[0], y * scale + origin[1], width * scale, height * scale)
    return Face(face.score, box, face.landmarks * scale + np.asarray(origin))


def _shrunk(photo: ByteImage, scale: float) -> ByteImage:
    """Resize with the filter that fits the direction."""
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return _bytes(cv2.resize(photo, (width, height), interpolation=how))


def _bytes(image: npt.NDArray[np.generic]) -> ByteImage:
    """Give OpenCV's answer the type that it has."""
    return np.asarray(image, dtype=np.uint8)


@lru_cache(maxsize=4)
def _network(model: Path, side: int) -> cv2.dnn.Net:  # noqa: ARG001 - part of the cache key
    """Read the network once for each input side: one that was given another shape before answers
    nonsense (seen with OpenCV 4.14), and reading takes longer than detecting."""
    if not model.is_file():
        raise ModelMissingError(f"{model.name} is not in the folder of face detection models")
    try:
        return cv2.dnn.readNetFromONNX(str(model))
    except cv2.error as error:
        raise ModelMissingError(f"{model.name} is not a readable ONNX network") from error
