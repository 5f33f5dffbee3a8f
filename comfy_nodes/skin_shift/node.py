"""Skin shift as a ComfyUI node."""

import torch
from comfy_api.latest import io

from ..tensors import array_of, batch_of, rgb_of
from .face import Face
from .kernel import check, shift
from .presets import OFF, names, preset_named


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
            "stays; eyes, teeth, hair, clothes and background keep their pixels. The face is found "
            "by itself, or lies in the ellipse given.",
            inputs=[
                io.Image.Input("image"),
                io.Mask.Input("person_mask"),
                io.Combo.Input("preset", options=names(), default=OFF),
                io.Float.Input("strength", default=1.0, min=0.0, max=1.0, step=0.05),
                *_face_inputs(),
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
        cls,
        image: torch.Tensor,
        person_mask: torch.Tensor,
        preset: str,
        strength: float,
        face_x: float = 0.0,
        face_y: float = 0.0,
        face_width: float = 0.0,
        face_height: float = 0.0,
        face_angle: float = 0.0,
    ) -> io.NodeOutput:
        """Shift every image of the batch, float32 [B, H, W, 3]; one mask serves all, or one each.

        The work is done on the CPU whatever device the image is on, since the outline is found by
        OpenCV; the result returns to the image's device.

        Raises:
            ValueError: numbers or sizes of images and masks don't fit, or an input is out of range.
        """
        check(preset, strength)
        face = _face(face_x, face_y, face_width, face_height, face_angle)
        if len(person_mask) not in (1, len(image)):
            raise ValueError(f"{len(person_mask)} person masks do not fit {len(image)} images")
        if image.shape[1:3] != person_mask.shape[1:3]:
            raise ValueError(
                f"person_mask {tuple(person_mask.shape[1:3])} is not as large as image "
                f"{tuple(image.shape[1:3])}"
            )
        if strength == 0 or preset_named(preset).changes_nothing:
            return io.NodeOutput(image[..., :3])
        images, masks = rgb_of(array_of(image)), array_of(person_mask)
        shifted = [
            shift(picture, masks[i % len(masks)], preset, strength, face)
            for i, picture in enumerate(images)
        ]
        return io.NodeOutput(batch_of(shifted).to(image.device))


def _face_inputs() -> list[io.Float.Input]:
    """The ellipse around the face; without a width the face is found by itself."""

    def number(name: str, least: float, most: float, tooltip: str) -> io.Float.Input:
        return io.Float.Input(
            name, default=0.0, min=least, max=most, step=0.5, optional=True, tooltip=tooltip
        )

    return [
        number("face_x", 0.0, 8192.0, "Centre of the face, pixels from the left."),
        number("face_y", 0.0, 8192.0, "Centre of the face, pixels from the top."),
        number("face_width", 0.0, 8192.0, "Full width of the face; 0 finds the face by itself."),
        number("face_height", 0.0, 8192.0, "Full height of the face; 0 finds it by itself."),
        number("face_angle", -90.0, 90.0, "Degrees clockwise, as in Draft portrait."),
    ]


def _face(x: float, y: float, width: float, height: float, angle: float) -> Face | None:
    if width == 0 and height == 0:
        return None
    return Face(x, y, width, height, angle)
