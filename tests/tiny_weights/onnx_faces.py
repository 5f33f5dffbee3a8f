"""SCRFD and ArcFace as ONNX files: the published inputs and outputs, almost nothing between."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.tiny_weights.portrait import BOX, LANDMARKS, SIZE

Floats = npt.NDArray[np.float32]

_DETECTOR_SIZE = 640
_STRIDES, _ANCHORS = (8, 16, 32), 2
_STRIDE = 16  # of the level that finds the portrait's face
_OUTPUTS = {
    8: {"score": "448", "box": "451", "points": "454"},
    16: {"score": "471", "box": "474", "points": "477"},
    32: {"score": "494", "box": "497", "points": "500"},
}
_WIDTHS = {"score": 1, "box": 4, "points": 10}
_POOL = 7
_OPSET, _FORMAT = 17, 10


def write_scrfd(path: Path) -> None:
    """A detector that sees the portrait's face in any picture that isn't of one colour there.

    Input `input.1` float32 [1, 3, 640, 640]; for strides 8, 16 and 32 scores [N, 1] in 0..1, boxes
    [N, 4] as distances from the anchor and points [N, 10] as offsets, both in strides; two anchors
    a cell. Only one anchor ever has a score above zero.
    """
    nodes, constants = _contrast_at_the_face()
    outputs = []
    for stride in _STRIDES:
        rows = (_DETECTOR_SIZE // stride) ** 2 * _ANCHORS
        for kind, name in _OUTPUTS[stride].items():
            constants[f"{name}.seen"] = (
                _seen(kind, rows) if stride == _STRIDE else _nothing(rows, _WIDTHS[kind])
            )
            factor = "found" if kind == "score" else "one"
            nodes.append(helper.make_node("Mul", [f"{name}.seen", factor], [name]))
    for kind in _WIDTHS:
        for stride in _STRIDES:
            shape: list[str | int] = ["rows", _WIDTHS[kind]]
            outputs.append(
                helper.make_tensor_value_info(_OUTPUTS[stride][kind], TensorProto.FLOAT, shape)
            )
    _save(path, nodes, constants, [1, 3, "height", "width"], outputs)


def write_arcface(path: Path, seed: int = 0) -> None:
    """A random projection of 16 × 16 average colours: `input.1` [N, 3, 112, 112] to [N, 512]."""
    random = np.random.default_rng(seed)
    cells = 3 * (112 // _POOL) ** 2
    weight = random.normal(0, 1 / np.sqrt(cells), (cells, 512)).astype(np.float32)
    nodes = [
        helper.make_node(
            "AveragePool",
            ["input.1"],
            ["colours"],
            kernel_shape=[_POOL, _POOL],
            strides=[_POOL, _POOL],
        ),
        helper.make_node("Flatten", ["colours"], ["row"]),
        helper.make_node("MatMul", ["row", "weight"], ["1333"]),
    ]
    output = helper.make_tensor_value_info("1333", TensorProto.FLOAT, ["batch", 512])
    _save(path, nodes, {"weight": weight}, ["batch", 3, 112, 112], [output])


def _contrast_at_the_face() -> tuple[list[onnx.NodeProto], dict[str, npt.NDArray[np.generic]]]:
    """Nodes that make `found`: the range of values at the face, at most 1."""
    scale = _DETECTOR_SIZE / SIZE
    left, top, right, bottom = (round(edge * scale) for edge in BOX)
    constants: dict[str, npt.NDArray[np.generic]] = {
        "starts": np.array([top, left], dtype=np.int64),
        "ends": np.array([bottom, right], dtype=np.int64),
        "axes": np.array([2, 3], dtype=np.int64),
        "zero": np.zeros((), dtype=np.float32),
        "one": np.ones((), dtype=np.float32),
    }
    nodes = [
        helper.make_node("Slice", ["input.1", "starts", "ends", "axes"], ["face"]),
        helper.make_node("ReduceMax", ["face"], ["highest"], keepdims=0),
        helper.make_node("ReduceMin", ["face"], ["lowest"], keepdims=0),
        helper.make_node("Sub", ["highest", "lowest"], ["range"]),
        helper.make_node("Clip", ["range", "zero", "one"], ["found"]),
    ]
    return nodes, constants


def _seen(kind: str, rows: int) -> Floats:
    """What the level that finds the face says of it, at the anchor nearest to its middle."""
    scale = _DETECTOR_SIZE / SIZE
    box = np.array(BOX) * scale
    column, row = np.rint((box[:2] + box[2:]) / 2 / _STRIDE).astype(int)
    anchor = np.array([column, row]) * _STRIDE
    values = {
        "score": np.ones(1),
        "box": np.concatenate([anchor - box[:2], box[2:] - anchor]) / _STRIDE,
        "points": (LANDMARKS * scale - anchor).ravel() / _STRIDE,
    }
    table = _nothing(rows, _WIDTHS[kind])
    table[(row * (_DETECTOR_SIZE // _STRIDE) + column) * _ANCHORS] = values[kind]
    return table


def _nothing(rows: int, width: int) -> Floats:
    return np.zeros((rows, width), dtype=np.float32)


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, npt.NDArray[np.generic]] | dict[str, Floats],
    shape: list[int | str],
    outputs: list[onnx.ValueInfoProto],
) -> None:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, shape)],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_FORMAT
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)
