"""RealESRGAN ×4 with one of its 23 blocks."""

from pathlib import Path

import torch

from tests.tiny_weights.values import Draw, State

_WIDTH, _GROWTH = 64, 32


def write_upscaler(path: Path, seed: int = 0) -> None:
    """An RRDBNet ×4 in float32 under `params_ema`, in RealESRGAN's names; small residuals."""
    draw = Draw(seed)
    state: State = {
        **draw.convolution("conv_first", 3, _WIDTH, 3),
        **draw.convolution("conv_last", _WIDTH, 3, 3),
    }
    for name in ("conv_body", "conv_up1", "conv_up2", "conv_hr"):
        state.update(draw.convolution(name, _WIDTH, _WIDTH, 3))
    for dense in (1, 2, 3):
        for number in range(5):
            outputs = _WIDTH if number == 4 else _GROWTH
            name = f"body.0.rdb{dense}.conv{number + 1}"
            state.update(draw.convolution(name, _WIDTH + number * _GROWTH, outputs, 3))
    torch.save({"params_ema": state}, path)
