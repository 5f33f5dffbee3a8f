"""Face detection by CenterFace, run by OpenCV's own network code."""

from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.ports import Face

# The network always sees 640 × 640 pixels: faces that count are large in the photo, and OpenCV's
# network code keeps tensors of the first input's size, so that another size spoils every answer.
_EDGE = 640
_STRIDE = 4  # input pixels to one cell of the heat map
_LEAST_CONFIDENCE = 0.5
_OVERLAP = 0.3  # intersection over union from which two boxes are one face
# The graph's outputs: heat map, log of box height and width, offset of the centre in a cell.
_OUTPUTS = ("537", "538", "539")


class CenterFace:
    """Finds faces with the CenterFace network (Xu et al., "CenterFace: Joint Face Detection and
    Alignment Using Face as Point", 2019), which sees a face as a point in a heat map with a size.
    """

    def __init__(self, model_path: Path) -> None:
        """Load the ONNX file.

        Raises:
            FileNotFoundError: there is none.
            cv2.error: it isn't a network that OpenCV can run.
        """
        if not model_path.is_file():
            raise FileNotFoundError(f"the face detector's model is missing: {model_path}")
        self._net = cv2.dnn.readNetFromONNX(str(model_path))
        self._lock = Lock()  # a network keeps its input and its outputs: one thread at a time

    def detect(self, rgb: NDArray[np.uint8]) -> list[Face]:
        """Faces in an RGB uint8 array [H, W, 3], the most confident first, with boxes in its
        pixels. Blocks for about 0.1 s on one core."""
        scale = _EDGE / max(rgb.shape[:2])
        blob = _blob(rgb, scale)
        with self._lock:
            self._net.setInput(blob)
            outputs = self._net.forward(list(_OUTPUTS))
            heat, sizes, offsets = (np.array(output[0]) for output in outputs)
        boxes, scores = _boxes(heat[0], sizes, offsets)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), _LEAST_CONFIDENCE, _OVERLAP)
        faces = [_face(boxes[index] / scale, float(scores[index])) for index in kept]
        return sorted(faces, key=lambda face: face.confidence, reverse=True)


def _blob(rgb: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """The photo scaled and padded on the right or below: float32 [1, 3, 640, 640], 0–255."""
    height, width = (max(1, round(edge * scale)) for edge in rgb.shape[:2])
    smoothly = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(rgb, (width, height), interpolation=smoothly)
    padded = cv2.copyMakeBorder(scaled, 0, _EDGE - height, 0, _EDGE - width, cv2.BORDER_CONSTANT)
    return np.asarray(cv2.dnn.blobFromImage(padded), dtype=np.float32)


def _boxes(
    heat: NDArray[np.float32], sizes: NDArray[np.float32], offsets: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Boxes (left, top, width, height) in input pixels and their scores, one for each cell of the
    heat map [h, w] above the least confidence; ``sizes`` and ``offsets`` are [2, h, w], the
    vertical one first."""
    rows, columns = np.nonzero(heat > _LEAST_CONFIDENCE)
    tall, wide = np.exp(sizes[:, rows, columns].astype(np.float64)) * _STRIDE
    down, across = offsets[:, rows, columns]
    left = (columns + across + 0.5) * _STRIDE - wide / 2
    top = (rows + down + 0.5) * _STRIDE - tall / 2
    return np.stack([left, top, wide, tall], axis=1), heat[rows, columns].astype(np.float64)


def _face(box: NDArray[np.float64], score: float) -> Face:
    left, top, width, height = (float(value) for value in box)
    return Face((left, top, left + width, top + height), score)
