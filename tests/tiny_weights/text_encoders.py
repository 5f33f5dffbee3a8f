"""CLIP-L whole, and T5-XXL in its own width with one small layer."""

import json
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file

from tests.tiny_weights.values import Draw, State

T5_CONFIG_KEY: Final = "tiny_t5_config"
"""Where a T5 file's metadata holds its configuration; `custom_nodes/tiny_t5` reads it."""

_T5 = {"num_layers": 1, "num_heads": 2, "d_kv": 64, "d_ff": 128}
_T5_WIDTH, _T5_WORDS, _T5_BUCKETS = 4096, 32128, 32
_CLIP_WIDTH, _CLIP_LAYERS, _CLIP_WORDS, _CLIP_LENGTH = 768, 12, 49408, 77


def write_clip_l(path: Path, seed: int = 0) -> None:
    """The text half of CLIP-L in float8_e4m3fn, all twelve layers."""
    draw = Draw(seed, torch.float8_e4m3fn)
    embeddings = "text_model.embeddings"
    state = {
        f"{embeddings}.token_embedding.weight": draw.uniform(_CLIP_WORDS, _CLIP_WIDTH, reach=0.1),
        f"{embeddings}.position_embedding.weight": draw.uniform(
            _CLIP_LENGTH, _CLIP_WIDTH, reach=0.1
        ),
        **draw.norm("text_model.final_layer_norm", _CLIP_WIDTH),
    }
    for number in range(_CLIP_LAYERS):
        state.update(_clip_layer(draw, f"text_model.encoder.layers.{number}"))
    save_file(state, path)


def write_t5(path: Path, seed: int = 0) -> None:
    """A T5 encoder in float8_e4m3fn whose metadata says how small it is.

    The real vocabulary and width, so that what it gives has the real shape [1, 256, 4096].
    """
    draw = Draw(seed, torch.float8_e4m3fn)
    inner = _T5["num_heads"] * _T5["d_kv"]
    attention, forward = "encoder.block.0.layer.0", "encoder.block.0.layer.1"
    dense = f"{forward}.DenseReluDense"
    state = {
        "shared.weight": draw.uniform(_T5_WORDS, _T5_WIDTH, reach=0.1),
        "encoder.final_layer_norm.weight": draw.ones(_T5_WIDTH),
        f"{attention}.layer_norm.weight": draw.ones(_T5_WIDTH),
        f"{forward}.layer_norm.weight": draw.ones(_T5_WIDTH),
        f"{attention}.SelfAttention.relative_attention_bias.weight": draw.uniform(
            _T5_BUCKETS, _T5["num_heads"], reach=0.1
        ),
        **draw.linear(f"{dense}.wi_0", _T5_WIDTH, _T5["d_ff"], bias=False),
        **draw.linear(f"{dense}.wi_1", _T5_WIDTH, _T5["d_ff"], bias=False),
        **draw.linear(f"{dense}.wo", _T5["d_ff"], _T5_WIDTH, bias=False),
        **draw.linear(f"{attention}.SelfAttention.o", inner, _T5_WIDTH, bias=False),
    }
    for part in "qkv":
        name = f"{attention}.SelfAttention.{part}"
        state.update(draw.linear(name, _T5_WIDTH, inner, bias=False))
    save_file(state, path, {T5_CONFIG_KEY: json.dumps(_T5)})


def _clip_layer(draw: Draw, name: str) -> State:
    state = {
        **draw.norm(f"{name}.layer_norm1", _CLIP_WIDTH),
        **draw.norm(f"{name}.layer_norm2", _CLIP_WIDTH),
        **draw.linear(f"{name}.mlp.fc1", _CLIP_WIDTH, 4 * _CLIP_WIDTH),
        **draw.linear(f"{name}.mlp.fc2", 4 * _CLIP_WIDTH, _CLIP_WIDTH),
    }
    for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
        state.update(draw.linear(f"{name}.self_attn.{part}", _CLIP_WIDTH, _CLIP_WIDTH))
    return state
