"""Nodes that take a fixed time and no processor, as work on a GPU does, and write down when.

Each run adds a line `begin end`, seconds of the monotonic clock, to the file that the environment
names in FIXED_TIME_LOG.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

Made = TypeVar("Made")


def _work(seconds: float, make: Callable[[], Made]) -> Made:
    """Make a result and take the rest of the time: to write it is the GPU's work, too."""
    began = time.monotonic()
    made = make()
    time.sleep(max(0.0, began + seconds - time.monotonic()))
    with Path(os.environ["FIXED_TIME_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{began:.6f} {time.monotonic():.6f}\n")
    return made


class FixedImage:
    """In place of everything that turns a picture into a page."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"image": ("IMAGE",), "seconds": ("FLOAT", {"default": 2.0})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, image: torch.Tensor, seconds: float) -> tuple[torch.Tensor]:
        return (_work(seconds, lambda: image),)


class FixedEncode:
    """In place of VAEEncode: latents of the right size."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"pixels": ("IMAGE",), "vae": ("VAE",), "seconds": ("FLOAT", {})}}

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, pixels: torch.Tensor, seconds: float, **_: Any) -> tuple[dict[str, Any]]:
        batch, height, width = pixels.shape[:3]
        shape = (batch, 16, height // 8, width // 8)
        return ({"samples": _work(seconds, lambda: torch.zeros(shape))},)


class FixedSampler:
    """In place of KSampler: takes what it takes."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {
            "required": {
                "model": ("MODEL",),
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "latent_image": ("LATENT",),
                "seed": ("INT", {"max": 2**63}),
                "steps": ("INT", {}),
                "denoise": ("FLOAT", {}),
                "seconds": ("FLOAT", {}),
            }
        }

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, latent_image: dict[str, Any], seconds: float, **_: Any) -> tuple[dict[str, Any]]:
        return (_work(seconds, lambda: latent_image),)


class FixedDecode:
    """In place of VAEDecode: a grey page of the right size."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"samples": ("LATENT",), "vae": ("VAE",), "seconds": ("FLOAT", {})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, samples: dict[str, Any], seconds: float, **_: Any) -> tuple[torch.Tensor]:
        batch, _, height, width = samples["samples"].shape
        shape = (batch, height * 8, width * 8, 3)
        return (_work(seconds, lambda: torch.full(shape, 0.5)),)


NODE_CLASS_MAPPINGS = {
    "FixedImage": FixedImage,
    "FixedEncode": FixedEncode,
    "FixedSampler": FixedSampler,
    "FixedDecode": FixedDecode,
}
