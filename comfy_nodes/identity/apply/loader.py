"""Loads an injector for ComfyUI to manage."""

from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.patcher_extension

from ..weights import file_sha256
from .applied import Injector
from .weights import read_attentions


def load_injector(path: Path) -> Injector:
    """The injecting half of a PuLID-FLUX file, in main memory until a sampler needs it.

    Raises:
        WeightsError: the file can't be used.
    """
    attentions = read_attentions(path, comfy.ops.manual_cast)
    patcher = comfy.model_patcher.ModelPatcher(
        attentions,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    injector = Injector(attentions, file_sha256(path), patcher)

    def forget(_patcher: Any, unpatch_all: bool) -> None:
        # ComfyUI also detaches a patcher, without unpatching, when a clone takes its place.
        if unpatch_all:
            injector.cache.clear()

    patcher.add_callback(comfy.patcher_extension.CallbacksMP.ON_DETACH, forget)
    return injector
