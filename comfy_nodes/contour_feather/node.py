"""Contour feather as a ComfyUI node."""

from functools import partial

import torch
from comfy_api.latest import io

from ..tensors import each
from .kernel import feather


class ContourFeather(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """MASK in, MASK out: grown, with a soft contour."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesContourFeather",
            display_name="Contour feather",
            category="foxetales",
            description="Grows a mask and fades its contour outwards. The borders of the image "
            "are not faded.",
            inputs=[
                io.Mask.Input("mask"),
                io.Int.Input("grow_px", default=2, min=0, max=256, tooltip="Growth in pixels."),
                io.Int.Input(
                    "feather_px",
                    default=12,
                    min=0,
                    max=256,
                    tooltip="Width of the fade outside the grown contour, in pixels.",
                ),
            ],
            outputs=[io.Mask.Output(display_name="mask")],
        )

    @classmethod
    def execute(cls, mask: torch.Tensor, grow_px: int, feather_px: int) -> io.NodeOutput:
        """Feather every mask of the batch, float32 [B, H, W], 0..1."""
        change = partial(feather, grow_px=grow_px, feather_px=feather_px)
        return io.NodeOutput(each(mask, change))
