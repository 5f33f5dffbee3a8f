"""PuLID-FLUX v0.9.1 and the EVA-CLIP that it looks with: every tensor, in its own shape."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.tiny_weights.values import Draw, State

_ID, _FEATURES, _IDENTITY = 2048, 1024, 1280
_IMAGE = 3072
_SCALES, _QUERIES, _ID_TOKENS = 5, 32, 5
_EVA_WIDTH, _EVA_HIDDEN, _EVA_BLOCKS, _EVA_OUT = 1024, 2730, 24, 768
_PATCHES, _HEAD = 24 * 24, 64


def write_pulid(path: Path, seed: int = 0, layers: int = 10, attentions: int = 20) -> None:
    """`pulid_encoder.*` and `pulid_ca.*` in bfloat16; 312 tensors in the published counts.

    Args:
        path: the safetensors file.
        seed: of the random values.
        layers: perceiver layers of the encoder, 10 in the published file.
        attentions: cross-attentions into FLUX, 20 in the published file.
    """
    draw = Draw(seed, torch.bfloat16)
    state = _encoder(draw, layers)
    for number in range(attentions):
        name = f"pulid_ca.{number}"
        state |= {
            **draw.norm(f"{name}.norm1", _ID),
            **draw.norm(f"{name}.norm2", _IMAGE),
            **draw.linear(f"{name}.to_q", _IMAGE, _ID, bias=False),
            **draw.linear(f"{name}.to_kv", _ID, 2 * _ID, bias=False),
            **draw.linear(f"{name}.to_out", _ID, _IMAGE, bias=False),
        }
    save_file(state, path)


def write_eva(path: Path, seed: int = 0) -> None:
    """EVA02-CLIP-L-336's vision half in float16, in the names of the published checkpoint.

    All blocks are one block: its values are stored once, so 300 M parameters take 29 MB. The
    rotary tables are random too, since a loader works out its own.
    """
    draw = Draw(seed, torch.float16)
    rope = {f"rope.freqs_{part}": draw.uniform(_PATCHES, _HEAD, reach=1) for part in ("cos", "sin")}
    state = {
        "logit_scale": draw.ones(),
        "visual.cls_token": draw.uniform(1, 1, _EVA_WIDTH, reach=0.02),
        "visual.pos_embed": draw.uniform(1, 1 + _PATCHES, _EVA_WIDTH, reach=0.02),
        **draw.convolution("visual.patch_embed.proj", 3, _EVA_WIDTH, 14),
        **draw.norm("visual.norm", _EVA_WIDTH),
        **draw.linear("visual.head", _EVA_WIDTH, _EVA_OUT),
        **{f"visual.{name}": values for name, values in rope.items()},
    }
    block = _eva_block(draw) | {f"attn.{name}": values for name, values in rope.items()}
    for number in range(_EVA_BLOCKS):
        state |= {f"visual.blocks.{number}.{name}": values for name, values in block.items()}
    torch.save(state, path)


def _encoder(draw: Draw, layers: int) -> State:
    root = "pulid_encoder"
    state = {
        f"{root}.latents": draw.uniform(1, _QUERIES, _FEATURES, reach=0.05),
        f"{root}.proj_out": draw.weight(_FEATURES, _ID),
        **_mapping(draw, f"{root}.id_embedding_mapping", _IDENTITY, _ID_TOKENS * _FEATURES),
    }
    for number in range(_SCALES):
        state |= _mapping(draw, f"{root}.mapping_{number}", _FEATURES, _FEATURES)
    for number in range(layers):
        attention, forward = f"{root}.layers.{number}.0", f"{root}.layers.{number}.1"
        state |= {
            **draw.norm(f"{attention}.norm1", _FEATURES),
            **draw.norm(f"{attention}.norm2", _FEATURES),
            **draw.linear(f"{attention}.to_q", _FEATURES, _FEATURES, bias=False),
            **draw.linear(f"{attention}.to_kv", _FEATURES, 2 * _FEATURES, bias=False),
            **draw.linear(f"{attention}.to_out", _FEATURES, _FEATURES, bias=False),
            **draw.norm(f"{forward}.0", _FEATURES),
            **draw.linear(f"{forward}.1", _FEATURES, 4 * _FEATURES, bias=False),
            **draw.linear(f"{forward}.3", 4 * _FEATURES, _FEATURES, bias=False),
        }
    return state


def _mapping(draw: Draw, name: str, inputs: int, outputs: int) -> State:
    return {
        **draw.linear(f"{name}.0", inputs, _FEATURES),
        **draw.norm(f"{name}.1", _FEATURES),
        **draw.linear(f"{name}.3", _FEATURES, _FEATURES),
        **draw.norm(f"{name}.4", _FEATURES),
        **draw.linear(f"{name}.6", _FEATURES, outputs),
    }


def _eva_block(draw: Draw) -> State:
    state = {
        **draw.norm("norm1", _EVA_WIDTH),
        **draw.norm("norm2", _EVA_WIDTH),
        "attn.q_bias": draw.uniform(_EVA_WIDTH, reach=0.02),
        "attn.v_bias": draw.uniform(_EVA_WIDTH, reach=0.02),
        **draw.norm("attn.inner_attn_ln", _EVA_WIDTH),
        **draw.linear("attn.proj", _EVA_WIDTH, _EVA_WIDTH),
        **draw.linear("mlp.w1", _EVA_WIDTH, _EVA_HIDDEN),
        **draw.linear("mlp.w2", _EVA_WIDTH, _EVA_HIDDEN),
        **draw.norm("mlp.ffn_ln", _EVA_HIDDEN),
        **draw.linear("mlp.w3", _EVA_HIDDEN, _EVA_WIDTH),
    }
    for part in "qkv":
        state |= draw.linear(f"attn.{part}_proj", _EVA_WIDTH, _EVA_WIDTH, bias=False)
    return state
