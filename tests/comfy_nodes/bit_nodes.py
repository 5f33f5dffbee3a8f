"""A node pack of the tests alone: float tensors out of and into files, with every bit."""

from pathlib import Path
from typing import Any

import folder_paths
import numpy as np
import torch


class GiveBits:
    """A float32 .npy of the input folder as IMAGE."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "give"
    CATEGORY = "test"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"name": ("STRING", {})}}

    def give(self, name: str) -> tuple[torch.Tensor]:
        return (torch.from_numpy(np.load(Path(folder_paths.get_input_directory()) / name)),)


class KeepBits:
    """IMAGE or MASK as a .npy of the output folder."""

    RETURN_TYPES = ()
    FUNCTION = "keep"
    CATEGORY = "test"
    OUTPUT_NODE = True

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        optional = {"image": ("IMAGE",), "mask": ("MASK",)}
        return {"required": {"name": ("STRING", {})}, "optional": optional}

    def keep(
        self, name: str, image: torch.Tensor | None = None, mask: torch.Tensor | None = None
    ) -> dict[str, Any]:
        values = image if image is not None else mask
        assert values is not None
        np.save(Path(folder_paths.get_output_directory()) / f"{name}.npy", values.numpy())
        return {}


NODE_CLASS_MAPPINGS = {"GiveBits": GiveBits, "KeepBits": KeepBits}
