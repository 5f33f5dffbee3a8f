"""A network in an ONNX file, asked through onnxruntime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import WeightsError

Floats = npt.NDArray[np.float32]


class OnnxNetwork:
    """One image input, one or more outputs; thread-safe."""

    def __init__(self, path: Path, gpu: bool, outputs: int) -> None:
        """Read the file.

        Args:
            path: the ONNX file.
            gpu: use CUDA where the installed onnxruntime has it; the CPU else.
            outputs: how many the network must have.

        Raises:
            WeightsError: the file is missing, no ONNX network, or has other outputs.
        """
        if not path.is_file():
            raise WeightsError(f"there is no file {path.name}")
        self._session = _session(path, gpu)
        found = len(self._session.get_outputs())
        if found != outputs or len(self._session.get_inputs()) != 1:
            raise WeightsError(f"{path.name} has {found} outputs, not {outputs}")
        self._input = self._session.get_inputs()[0].name
        self.name = path.name

    def ask(self, image: npt.NDArray[np.generic]) -> Sequence[Floats]:
        """All outputs for an image float32 [1, 3, H, W].

        Raises:
            WeightsError: the network can't take such an image.
        """
        from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

        try:
            return [np.asarray(out) for out in self._session.run(None, {self._input: image})]
        except (ort_errors.Fail, ort_errors.InvalidArgument, ort_errors.RuntimeException) as error:
            raise WeightsError(f"{self.name} can't take an image {image.shape}") from error


def _session(path: Path, gpu: bool) -> Any:
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

    cuda = "CUDAExecutionProvider"
    wanted = [cuda] if gpu and cuda in onnxruntime.get_available_providers() else []
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only: warnings name every unused constant
    try:
        return onnxruntime.InferenceSession(
            str(path), options, providers=[*wanted, "CPUExecutionProvider"]
        )
    except (
        ort_errors.Fail,
        ort_errors.InvalidArgument,
        ort_errors.InvalidGraph,
        ort_errors.InvalidProtobuf,
        ort_errors.NotImplemented,
        ort_errors.RuntimeException,
    ) as error:
        raise WeightsError(f"{path.name} is no whole ONNX network") from error
