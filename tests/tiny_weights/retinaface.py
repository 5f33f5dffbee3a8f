"""RetinaFace with a ResNet-50: a random body, and heads that see a face at every cell of a grid."""

import math
from pathlib import Path

import torch

from tests.tiny_weights.portrait import BOX, LANDMARKS
from tests.tiny_weights.values import Draw, State

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width of the bottleneck, blocks
_NECK, _ANCHORS, _LEVELS = 256, 2, 3
_LEVEL, _ANCHOR, _ANCHOR_SIZE = 1, 1, 128  # the one that sees faces, with boxes in pixels
_CENTRE_VARIANCE, _SIZE_VARIANCE = 0.1, 0.2
_SURE = 4.0


def write_retinaface(path: Path, seed: int = 0) -> None:
    """Weights in float32 in the published names, with the `module.` that training left there.

    Of stride 16's larger anchors, every one is a face of the portrait's size and features. Each
    place in a picture is thus within a face, and non-maximum suppression leaves one near any box
    of that size (overlap above its threshold).
    """
    draw = Draw(seed)
    state = {**_body(draw), **_neck(draw)}
    for level in range(_LEVELS):
        state |= _heads(draw, level)
    torch.save({f"module.{name}": values for name, values in state.items()}, path)


def _body(draw: Draw) -> State:
    state = {
        **draw.convolution("body.conv1", 3, 64, 7, bias=False),
        **draw.batch_norm("body.bn1", 64, scale=0.01),  # the input's values reach 150
    }
    inputs = 64
    for stage, (width, blocks) in enumerate(_STAGES, start=1):
        for number in range(blocks):
            name = f"body.layer{stage}.{number}"
            state |= _bottleneck(draw, name, inputs, width)
            inputs = 4 * width
    return state


def _bottleneck(draw: Draw, name: str, inputs: int, width: int) -> State:
    outputs = 4 * width
    state = {
        **draw.convolution(f"{name}.conv1", inputs, width, 1, bias=False),
        **draw.batch_norm(f"{name}.bn1", width),
        **draw.convolution(f"{name}.conv2", width, width, 3, bias=False),
        **draw.batch_norm(f"{name}.bn2", width),
        **draw.convolution(f"{name}.conv3", width, outputs, 1, bias=False),
        **draw.batch_norm(f"{name}.bn3", outputs, scale=0.3),
    }
    if name.endswith(".0"):
        state |= draw.convolution(f"{name}.downsample.0", inputs, outputs, 1, bias=False)
        state |= draw.batch_norm(f"{name}.downsample.1", outputs)
    return state


def _neck(draw: Draw) -> State:
    state: State = {}
    for number, inputs in enumerate((512, 1024, 2048), start=1):
        state |= _unit(draw, f"fpn.output{number}", inputs, _NECK, 1)
        state |= _unit(draw, f"ssh{number}.conv3X3", _NECK, _NECK // 2, 3)
        state |= _unit(draw, f"ssh{number}.conv5X5_1", _NECK, _NECK // 4, 3)
        for name in ("conv5X5_2", "conv7X7_2", "conv7x7_3"):
            state |= _unit(draw, f"ssh{number}.{name}", _NECK // 4, _NECK // 4, 3)
    for number in (1, 2):
        state |= _unit(draw, f"fpn.merge{number}", _NECK, _NECK, 3)
    return state


def _unit(draw: Draw, name: str, inputs: int, outputs: int, size: int) -> State:
    return {
        **draw.convolution(f"{name}.0", inputs, outputs, size, bias=False),
        **draw.batch_norm(f"{name}.1", outputs),
    }


def _heads(draw: Draw, level: int) -> State:
    """What the picture says barely counts; the biases say which anchors are faces, and where."""
    biases = {
        "ClassHead": [[_SURE, -_SURE]] * _ANCHORS,
        "BboxHead": [[0.0] * 4] * _ANCHORS,
        "LandmarkHead": [[0.0] * 10] * _ANCHORS,
    }
    if level == _LEVEL:
        biases["ClassHead"][_ANCHOR] = [-_SURE, _SURE]
        biases["BboxHead"][_ANCHOR] = _box()
        biases["LandmarkHead"][_ANCHOR] = _points()
    state: State = {}
    for head, values in biases.items():
        bias = torch.tensor(values).ravel()
        weight = draw.uniform(len(bias), _NECK, 1, 1, reach=1e-4)
        state[f"{head}.{level}.conv1x1.weight"] = weight
        state[f"{head}.{level}.conv1x1.bias"] = bias
    return state


def _box() -> list[float]:
    left, top, right, bottom = BOX
    sizes = (right - left, bottom - top)
    return [0.0, 0.0, *(math.log(size / _ANCHOR_SIZE) / _SIZE_VARIANCE for size in sizes)]


def _points() -> list[float]:
    left, top, right, bottom = BOX
    middle = ((left + right) / 2, (top + bottom) / 2)
    return [
        float(point[axis] - middle[axis]) / (_CENTRE_VARIANCE * _ANCHOR_SIZE)
        for point in LANDMARKS
        for axis in (0, 1)
    ]
