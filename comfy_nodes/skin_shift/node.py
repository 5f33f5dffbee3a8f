"""Skin shift as a ComfyUI node."""

import torch
from comfy_api.latest import io

from ..tensors import array_of, batch_of, rgb_of
from .kernel import check, shift
from .presets import OFF, PRESETS


class SkinShift(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """IMAGE and person MASK in, IMAGE out: the person's skin in a preset's tone."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesSkinShift",
            display_name="Skin shift",
            category="foxetales",
            description="Multiplies skin inside the person mask by a preset's colour. Shading "
            "stays, everything else keeps its exact pixels.",
            inputs=[
                io.Image.Input("image"),
                io.Mask.Input("person_mask"),
                io.Combo.Input("preset", options=list(PRESETS), default=OFF),
                io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.05),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def validate_inputs(cls, preset: str, strength: float) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        try:
            check(preset, strength)
        except ValueError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls, image: torch.Tensor, person_mask: torch.Tensor, preset: str, strength: float
    ) -> io.NodeOutput:
        """Shift every image of the batch, float32 [B, H, W, 3]; one mask serves all, or one each.

        Raises:
            ValueError: numbers or sizes of images and masks don't fit, or an input is out of range.
        """
        images, masks = rgb_of(array_of(image)), array_of(person_mask)
        if len(masks) not in (1, len(images)):
            raise ValueError(f"{len(masks)} person masks do not fit {len(images)} images")
        shifted = [
            shift(picture, masks[i % len(masks)], preset, strength)
            for i, picture in enumerate(images)
        ]
        return io.NodeOutput(batch_of(shifted))
