"""EVA02-CLIP-L at 336 pixels (Sun et al. 2023), from timm."""

from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..weights import fill, read_checkpoint

SIDE: Final = 336
HIDDEN: Final = (3, 7, 11, 15, 19)
"""Blocks whose outputs PuLID's encoder looks at."""

_MODEL: Final = "eva02_large_patch14_clip_336"
_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
_DEVIATION: Final = (0.26862954, 0.26130258, 0.27577711)


def read_eva_clip(path: Path) -> nn.Module:
    """The vision half of `EVA02_CLIP_L_336_psz14_s6B.pt`, float32 in main memory.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    import timm
    from timm.models.eva import checkpoint_filter_fn

    state = read_checkpoint(path)  # first: a missing file shall not cost the building
    network: nn.Module = timm.create_model(_MODEL, pretrained=False)
    fill(network, checkpoint_filter_fn(state, network), path.name)
    return network


def look(network: nn.Module, picture: Tensor) -> tuple[Tensor, list[Tensor]]:
    """What CLIP sees in a picture.

    Args:
        network: from `read_eva_clip`.
        picture: float32 [B, 3, H, W], RGB, 0..1, on the network's device.

    Returns:
        the picture's features [B, 768] of length 1, and five hidden states [B, 577, 1024], the
        class token first.
    """
    # The same picture must give the same identity on every machine: antialias has had another
    # default in other versions.
    small = functional.interpolate(
        picture, (SIDE, SIDE), mode="bicubic", align_corners=False, antialias=True
    )
    mean, deviation = (
        picture.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _DEVIATION)
    )
    clip: Any = network
    last, hidden = clip.forward_intermediates(
        (small - mean) / deviation,
        indices=list(HIDDEN),
        norm=False,
        output_fmt="NLC",
        return_prefix_tokens=True,
    )
    features = functional.normalize(clip.forward_head(last), dim=-1)
    return features, [torch.cat([prefix, patches], dim=1) for patches, prefix in hidden]
