"""Draft portrait as a ComfyUI node."""

from pathlib import Path

import comfy.utils
import folder_paths
import numpy as np
import torch
from comfy_api.latest import io

from ..tensors import batch_of, rgb_of, the_only
from .errors import ModelMissingError
from .kernel import STEPS, draw
from .opening import Opening

MODEL_FOLDER = "face_detection"
DEFAULT_MODEL = "centerface.onnx"


def register_model_folder() -> None:
    """Make the folder of face detection models known to ComfyUI."""
    folder_paths.add_model_folder_path(
        MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER)
    )


class DraftPortrait(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Photo and template page in, page out: the photographed face, painted into the opening."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesDraftPortrait",
            display_name="Draft portrait",
            category="foxetales",
            description="Finds the face in a photo and paints it, in watercolour, into the face "
            "opening of a template page. Runs on the CPU.",
            inputs=[
                io.Image.Input("photo", tooltip="A photo with one face, of any size."),
                io.Image.Input("character", tooltip="The page with a placeholder face."),
                *_opening_inputs(),
                io.Float.Input(
                    "watercolour",
                    default=0.85,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="0 keeps the photo's own surface, 1 is a full watercolour.",
                ),
                io.Combo.Input(
                    "face_model",
                    options=_models(),
                    default=DEFAULT_MODEL,
                    tooltip=f"CenterFace network in models/{MODEL_FOLDER}.",
                ),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def validate_inputs(cls, face_model: str) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        try:
            _model_path(face_model)
        except ModelMissingError as error:
            return str(error)
        return True

    @classmethod
    def execute(
        cls,
        photo: torch.Tensor,
        character: torch.Tensor,
        face_x: float,
        face_y: float,
        face_width: float,
        face_height: float,
        face_angle: float,
        watercolour: float,
        face_model: str,
    ) -> io.NodeOutput:
        """Paint the page, float32 [1, H, W, 3], 0..1.

        Raises:
            FaceError: the photo has no face, several, or a tiny one, or the model is missing; the
                message starts with `no_face:`, `several_faces:`, `face_too_small:` or
                `face_model_missing:`.
            ValueError: a batch of several pictures, or an opening that leaves the page.
        """
        progress = comfy.utils.ProgressBar(STEPS)
        pixels = rgb_of(the_only(photo, "photo"))
        page = draw(
            np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8),
            rgb_of(the_only(character, "character")),
            Opening(face_x, face_y, face_width, face_height, face_angle),
            watercolour,
            _model_path(face_model),
            progress.update_absolute,
        )
        return io.NodeOutput(batch_of([page]))


def _opening_inputs() -> list[io.Float.Input]:
    """The ellipse of the face opening."""

    def pixels(name: str, default: float, least: float, tooltip: str) -> io.Float.Input:
        return io.Float.Input(
            name, default=default, min=least, max=8192.0, step=0.5, tooltip=tooltip
        )

    return [
        pixels("face_x", 512.0, 0.0, "Centre of the face opening, pixels from the left."),
        pixels("face_y", 400.0, 0.0, "Centre of the face opening, pixels from the top."),
        pixels("face_width", 230.0, 16.0, "Full width of the opening before it is turned."),
        pixels("face_height", 280.0, 16.0, "Full height of the opening before it is turned."),
        io.Float.Input(
            "face_angle",
            default=0.0,
            min=-90.0,
            max=90.0,
            step=0.5,
            tooltip="Degrees clockwise: positive leans the head to the right of the picture.",
        ),
    ]


def _models() -> list[str]:
    """Model files that are there; the default even when it is not, so that the node can be seen."""
    names: list[str] = folder_paths.get_filename_list(MODEL_FOLDER)
    return names if DEFAULT_MODEL in names else [DEFAULT_MODEL, *names]


def _model_path(name: str) -> Path:
    """The file of a model's name.

    Raises:
        ModelMissingError: there is no such file.
    """
    # Only names from the folder's own list: a prompt must not reach other files.
    if name not in folder_paths.get_filename_list(MODEL_FOLDER):
        raise ModelMissingError(f"{name!r} is not in models/{MODEL_FOLDER}")
    return Path(folder_paths.get_full_path_or_raise(MODEL_FOLDER, name))
