"""BiSeNet with a ResNet-18 that tells 19 parts of a face apart, here at random."""

from pathlib import Path

import torch

from tests.tiny_weights.values import Draw, State

_CLASSES = 19


def write_bisenet(path: Path, seed: int = 0) -> None:
    """Weights in float32 in the published names."""
    draw = Draw(seed)
    state = {
        **_body(draw),
        **_refinement(draw, "cp.arm16", 256),
        **_refinement(draw, "cp.arm32", 512),
        **_unit(draw, "cp.conv_head32", 128, 128, 3),
        **_unit(draw, "cp.conv_head16", 128, 128, 3),
        **_unit(draw, "cp.conv_avg", 512, 128, 1),
        **_unit(draw, "ffm.convblk", 256, 256, 1),
        **draw.convolution("ffm.conv1", 256, 64, 1, bias=False),
        **draw.convolution("ffm.conv2", 64, 256, 1, bias=False),
    }
    for name, inputs, width in (
        ("conv_out", 256, 256),
        ("conv_out16", 128, 64),
        ("conv_out32", 128, 64),
    ):
        state |= _unit(draw, f"{name}.conv", inputs, width, 3)
        state |= draw.convolution(f"{name}.conv_out", width, _CLASSES, 1, bias=False)
    torch.save(state, path)


def _body(draw: Draw) -> State:
    root = "cp.resnet"
    state = {
        **draw.convolution(f"{root}.conv1", 3, 64, 7, bias=False),
        **draw.batch_norm(f"{root}.bn1", 64),
    }
    inputs = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for number in range(2):
            name = f"{root}.layer{stage}.{number}"
            state |= {
                **draw.convolution(f"{name}.conv1", inputs, width, 3, bias=False),
                **draw.batch_norm(f"{name}.bn1", width),
                **draw.convolution(f"{name}.conv2", width, width, 3, bias=False),
                **draw.batch_norm(f"{name}.bn2", width, scale=0.5),
            }
            if inputs != width:
                state |= draw.convolution(f"{name}.downsample.0", inputs, width, 1, bias=False)
                state |= draw.batch_norm(f"{name}.downsample.1", width)
            inputs = width
    return state


def _refinement(draw: Draw, name: str, inputs: int) -> State:
    return {
        **_unit(draw, f"{name}.conv", inputs, 128, 3),
        **draw.convolution(f"{name}.conv_atten", 128, 128, 1, bias=False),
        **draw.batch_norm(f"{name}.bn_atten", 128),
    }


def _unit(draw: Draw, name: str, inputs: int, outputs: int, size: int) -> State:
    return {
        **draw.convolution(f"{name}.conv", inputs, outputs, size, bias=False),
        **draw.batch_norm(f"{name}.bn", outputs),
    }
