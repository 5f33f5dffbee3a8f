"""FLUX.1-dev in its own widths with few blocks, a LoRA for it, and a small image decoder.

ComfyUI 0.3.75 takes the number of blocks from the tensors' names, but width and heads are fixed.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.tiny_weights.values import Draw, State

WIDTH = 3072
"""Width of FLUX's tokens."""

_HEAD = 128
_TEXT, _POOLED, _LATENT, _TIME = 4096, 768, 64, 256
_LATENT_CHANNELS = 16
_SCALE, _SHIFT = 0.3611, 0.1159  # of FLUX's latents
_CONVOLUTIONS = (
    ("encoder.0", 3, 64, True),
    ("encoder.2", 64, 64, False),
    ("encoder.6", 64, 64, False),
    ("encoder.10", 64, 64, False),
    ("encoder.14", 64, _LATENT_CHANNELS, True),
    ("decoder.1", _LATENT_CHANNELS, 64, True),
    ("decoder.7", 64, 64, False),
    ("decoder.12", 64, 64, False),
    ("decoder.17", 64, 64, False),
    ("decoder.19", 64, 3, True),
)
_BLOCKS = {
    "encoder": (1, 3, 4, 5, 7, 8, 9, 11, 12, 13),
    "decoder": (3, 4, 5, 8, 9, 10, 13, 14, 15, 18),
}


def write_unet(path: Path, double: int = 1, single: int = 2, seed: int = 0) -> None:
    """A FLUX transformer in float8_e4m3fn that takes guidance, as `diffusion_models` has it.

    Two single blocks by default: what PuLID adds to the first one enters with the second.
    """
    draw = Draw(seed, torch.float8_e4m3fn)
    state = {
        **draw.linear("img_in", _LATENT, WIDTH),
        **draw.linear("txt_in", _TEXT, WIDTH),
        **_embedder(draw, "time_in", _TIME),
        **_embedder(draw, "guidance_in", _TIME),
        **_embedder(draw, "vector_in", _POOLED),
        **draw.linear("final_layer.adaLN_modulation.1", WIDTH, 2 * WIDTH),
        **draw.linear("final_layer.linear", WIDTH, _LATENT),
    }
    for number in range(double):
        for stream in ("img", "txt"):
            state.update(_stream(draw, f"double_blocks.{number}.{stream}"))
    for number in range(single):
        state.update(_single(draw, f"single_blocks.{number}"))
    save_file(state, path)


def write_lora(path: Path, seed: int = 0) -> None:
    """A rank-4 LoRA in bfloat16 for the first double block's image stream, in kohya's names."""
    draw = Draw(seed, torch.bfloat16)
    layers = {"img_attn_qkv": 3 * WIDTH, "img_attn_proj": WIDTH}
    state: State = {}
    for layer, outputs in layers.items():
        name = f"lora_unet_double_blocks_0_{layer}"
        state[f"{name}.lora_down.weight"] = draw.weight(4, WIDTH)
        state[f"{name}.lora_up.weight"] = draw.weight(outputs, 4)
        state[f"{name}.alpha"] = torch.tensor(4.0, dtype=torch.bfloat16)
    save_file(state, path)


def write_vae(path: Path, seed: int = 0) -> None:
    """An autoencoder of 16 latent channels in float32, of the kind that previews use.

    ComfyUI's VAE loader takes it in the place of FLUX's own of 168 MB. Both make latents of the
    same shape and scale.
    """
    draw = Draw(seed)
    state = {"vae_scale": torch.tensor(_SCALE), "vae_shift": torch.tensor(_SHIFT)}
    for name, inputs, outputs, bias in _CONVOLUTIONS:
        state.update(draw.convolution(f"taesd_{name}", inputs, outputs, 3, bias=bias))
    for half, numbers in _BLOCKS.items():
        for number in numbers:
            for layer in (0, 2, 4):
                name = f"taesd_{half}.{number}.conv.{layer}"
                state.update(draw.convolution(name, 64, 64, 3))
    save_file(state, path)


def _embedder(draw: Draw, name: str, inputs: int) -> State:
    return {
        **draw.linear(f"{name}.in_layer", inputs, WIDTH),
        **draw.linear(f"{name}.out_layer", WIDTH, WIDTH),
    }


def _stream(draw: Draw, name: str) -> State:
    return {
        **draw.linear(f"{name}_mod.lin", WIDTH, 6 * WIDTH),
        **draw.linear(f"{name}_attn.qkv", WIDTH, 3 * WIDTH),
        **draw.linear(f"{name}_attn.proj", WIDTH, WIDTH),
        **draw.linear(f"{name}_mlp.0", WIDTH, 4 * WIDTH),
        **draw.linear(f"{name}_mlp.2", 4 * WIDTH, WIDTH),
        f"{name}_attn.norm.query_norm.scale": draw.ones(_HEAD),
        f"{name}_attn.norm.key_norm.scale": draw.ones(_HEAD),
    }


def _single(draw: Draw, name: str) -> State:
    return {
        **draw.linear(f"{name}.modulation.lin", WIDTH, 3 * WIDTH),
        **draw.linear(f"{name}.linear1", WIDTH, (3 + 4) * WIDTH),
        **draw.linear(f"{name}.linear2", (1 + 4) * WIDTH, WIDTH),
        f"{name}.norm.query_norm.scale": draw.ones(_HEAD),
        f"{name}.norm.key_norm.scale": draw.ones(_HEAD),
    }
