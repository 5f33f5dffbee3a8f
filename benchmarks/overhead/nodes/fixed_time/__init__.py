"""Nodes that take a fixed time and no processor, as work on a GPU does, and write down when.

Each run adds a line `begin end`, seconds of the monotonic clock, to the file that the environment
names in FIXED_TIME_LOG.
"""

import os
import time
from pathlib import Path
from typing import Any

import torch


def _work(seconds: float) -> None:
    began = time.monotonic()
    time.sleep(seconds)
    with Path(os.environ["FIXED_TIME_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{began:.6f} {time.monotonic():.6f}\n")


class FixedImage:
    """In place of everything that turns a picture into a page."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"image": ("IMAGE",), "seconds": ("FLOAT", {"default": 2.0})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, image: torch.Tensor, seconds: float) -> tuple[torch.Tensor]:
        _work(seconds)
        return (image,)


class FixedEncode:
    """In place of VAEEncode: latents of the right size."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"pixels": ("IMAGE",), "vae": ("VAE",), "seconds": ("FLOAT", {})}}

    RETURN_TYPES = ("LATENT",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, pixels: torch.Tensor, seconds: float, **_: Any) -> tuple[dict[str, Any]]:
        _work(seconds)
        batch, height, width = pixels.shape[:3]
        return ({"samples": torch.zeros(batch, 16, height // 8, width // 8)},)


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
        _work(seconds)
        return (latent_image,)


class FixedDecode:
    """In place of VAEDecode: a grey page of the right size."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - the name that ComfyUI asks for
        return {"required": {"samples": ("LATENT",), "vae": ("VAE",), "seconds": ("FLOAT", {})}}

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "run"
    CATEGORY = "test"

    def run(self, samples: dict[str, Any], seconds: float, **_: Any) -> tuple[torch.Tensor]:
        _work(seconds)
        batch, _, height, width = samples["samples"].shape
        return (torch.full((batch, height * 8, width * 8, 3), 0.5),)


NODE_CLASS_MAPPINGS = {
    "FixedImage": FixedImage,
    "FixedEncode": FixedEncode,
    "FixedSampler": FixedSampler,
    "FixedDecode": FixedDecode,
}
