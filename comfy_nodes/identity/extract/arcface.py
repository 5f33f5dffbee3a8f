"""A face as 512 numbers: ArcFace (Deng et al. 2019), as `glintr100.onnx` of antelopev2."""

from pathlib import Path

import cv2
import numpy as np

from ...faces import ByteImage, Points
from ..errors import WeightsError
from .geometry import arcface_crop
from .onnx_network import Floats, OnnxNetwork

_WIDTH = 512


class ArcFace:
    """The recogniser."""

    def __init__(self, path: Path, gpu: bool) -> None:
        """Read the network.

        Raises:
            WeightsError: the file is missing, damaged, or another network.
        """
        self._network = OnnxNetwork(path, gpu, outputs=1)

    def embed(self, photo: ByteImage, landmarks: Points) -> Floats:
        """The face in a photo uint8 [H, W, 3] RGB at landmarks [5, 2], float32 [512].

        Not normalised: PuLID was trained on the plain values.

        Raises:
            NoFaceError: the landmarks coincide.
            WeightsError: the network answers with another number of values.
        """
        crop = arcface_crop(photo, landmarks)
        blob = cv2.dnn.blobFromImage(crop, 1 / 127.5, mean=(127.5,) * 3)
        (values,) = self._network.ask(blob)
        if values.size != _WIDTH:
            raise WeightsError(f"{self._network.name} is no ArcFace with {_WIDTH} values")
        return np.asarray(values, dtype=np.float32).reshape(_WIDTH)
