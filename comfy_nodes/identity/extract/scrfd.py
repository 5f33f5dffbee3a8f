"""Find faces with SCRFD (Guo et al. 2021, "Sample and Computation Redistribution")."""

from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from ...faces import ByteImage, Face, Points
from ..errors import WeightsError
from .onnx_network import Floats, OnnxNetwork

_SIDE: Final = 640
_STRIDES: Final = (8, 16, 32)
_ANCHORS: Final = 2
_SCORE: Final = 0.5
_OVERLAP: Final = 0.4


class Scrfd:
    """The detector `scrfd_10g_bnkps.onnx`: scores, boxes and five points at three strides."""

    def __init__(self, path: Path, gpu: bool) -> None:
        """Read the network.

        Raises:
            WeightsError: the file is missing, damaged, or another network.
        """
        self._network = OnnxNetwork(path, gpu, outputs=3 * len(_STRIDES))

    def find(self, photo: ByteImage) -> list[Face]:
        """All faces in a photo uint8 [H, W, 3] RGB, the largest first, in pixels of the photo.

        Raises:
            WeightsError: the network answers in other shapes.
        """
        canvas, scale = _letterboxed(photo)
        outputs = self._network.ask(cv2.dnn.blobFromImage(canvas, 1 / 128, mean=(127.5,) * 3))
        levels = len(_STRIDES)
        decoded = [
            _decode(stride, *(self._rows(outputs[i + kind * levels], stride) for kind in range(3)))
            for i, stride in enumerate(_STRIDES)
        ]
        scores, boxes, points = (np.concatenate(part) for part in zip(*decoded, strict=True))
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), _SCORE, _OVERLAP)
        faces = [
            Face(float(scores[i]), tuple((boxes[i] / scale).tolist()), points[i] / scale)
            for i in np.asarray(kept, dtype=np.intp).ravel()
        ]
        return sorted(faces, key=lambda face: face.area, reverse=True)

    def _rows(self, output: Floats, stride: int) -> Floats:
        """An output as [N, values]: some exports have a batch dimension."""
        rows = output.reshape(-1, output.shape[-1])
        if len(rows) != (_SIDE // stride) ** 2 * _ANCHORS or rows.shape[1] not in (1, 4, 10):
            raise WeightsError(f"{self._network.name} is no SCRFD with five points")
        return rows


def _letterboxed(photo: ByteImage) -> tuple[ByteImage, float]:
    """The photo in the upper left of a black square, and its scale there."""
    height, width = photo.shape[:2]
    longer = max(height, width)
    new = (max(1, int(_SIDE * width / longer)), max(1, int(_SIDE * height / longer)))
    canvas = np.zeros((_SIDE, _SIDE, 3), dtype=np.uint8)
    canvas[: new[1], : new[0]] = cv2.resize(photo, new, interpolation=cv2.INTER_LINEAR)
    return canvas, new[1] / height


def _decode(
    stride: int, scores: Floats, distances: Floats, offsets: Floats
) -> tuple[npt.NDArray[np.float64], Points, Points]:
    """Scores [M], boxes [M, 4] as x, y, width, height, and landmarks [M, 5, 2] above the bar.

    Anchors sit on the corners of the cells; distances to the four edges and offsets of the points
    come in strides.
    """
    side = _SIDE // stride
    rows = np.nonzero(scores[:, 0] >= _SCORE)[0]
    cell = rows // _ANCHORS
    anchors = np.stack([cell % side, cell // side], axis=1).astype(np.float64) * stride
    edges = distances[rows].astype(np.float64) * stride
    corners, sizes = anchors - edges[:, :2], edges[:, :2] + edges[:, 2:]
    points = anchors[:, None] + offsets[rows].astype(np.float64).reshape(-1, 5, 2) * stride
    return scores[rows, 0].astype(np.float64), np.concatenate([corners, sizes], axis=1), points
