"""Hand-over as ComfyUI nodes: what ends a page, and Settle; drop-ins for slower nodes."""

import gc
from pathlib import Path
from typing import Final

import folder_paths
import nodes
import torch
from comfy_api.latest import io

from ..paths import path_in
from .composite import composited, is_simple
from .kernel import bytes_of, write_new

CATEGORY: Final = "foxetales/hand-over"


class WritePixels(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """IMAGE in, a .npy file a picture in ComfyUI's output folder out, with SaveImage's numbers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesWritePixels",
            display_name="Write pixels",
            category=CATEGORY,
            description="Save image, for pixels that somebody else encodes.",
            inputs=[
                io.Image.Input("images"),
                io.String.Input(
                    "filename_prefix",
                    default="foxetales/pixels",
                    tooltip="Folder and beginning of the file's name; taken as it stands.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, images: torch.Tensor, filename_prefix: str) -> io.NodeOutput:
        """Write every picture of the batch, [B, H, W, 3 or 4], 0..1; their files' names come back
        under `images`.

        Raises:
            ValueError: the prefix leads out of the output folder, or pictures have other channels.
            OSError: the folder can't be written to.
        """
        if images.ndim != 4 or images.shape[3] not in (3, 4):
            raise ValueError(f"images: 3 or 4 channels are needed, not shape {list(images.shape)}")
        root = folder_paths.get_output_directory()
        place = path_in(root, filename_prefix)
        if place is None or place == Path(root).resolve():
            raise ValueError("filename_prefix names nothing inside the output folder")
        place.parent.mkdir(parents=True, exist_ok=True)
        subfolder = place.parent.relative_to(Path(root).resolve())
        entries = [
            {
                "filename": write_new(place.parent, place.name, picture).name,
                "subfolder": "" if subfolder == Path() else str(subfolder),
                "type": "output",
            }
            for picture in bytes_of(images)
        ]
        return io.NodeOutput(ui={"images": entries})


class Composite(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """ImageCompositeMasked, faster where both pictures and the mask have one size."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesComposite",
            display_name="Composite",
            category=CATEGORY,
            description="Image composite masked, with less of a wait for the GPU.",
            inputs=[
                io.Image.Input("destination"),
                io.Image.Input("source"),
                io.Int.Input("x", default=0, min=0, max=nodes.MAX_RESOLUTION),
                io.Int.Input("y", default=0, min=0, max=nodes.MAX_RESOLUTION),
                io.Boolean.Input("resize_source", default=False),
                io.Mask.Input("mask", optional=True),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(
        cls,
        destination: torch.Tensor,
        source: torch.Tensor,
        x: int,
        y: int,
        resize_source: bool,
        mask: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        """Lay `source` over `destination`; ComfyUI's own node does what isn't simple."""
        if mask is not None and is_simple(destination, source, mask, x, y):
            return io.NodeOutput(composited(destination, source, mask))
        core = nodes.NODE_CLASS_MAPPINGS["ImageCompositeMasked"]()
        return io.NodeOutput(*core.composite(destination, source, x, y, resize_source, mask))


class Settle(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Takes all that is alive now out of Python's garbage collection.

    ComfyUI collects every 10 seconds, which walks every object that its imports and models made,
    while the next page waits. To be run when everything is loaded. To run it again, after models
    were unloaded, lets go of what the last run kept.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesSettle",
            display_name="Settle",
            category=CATEGORY,
            description="After warm-up: spares Python's garbage collector what stays anyway.",
            inputs=[],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls) -> float:
        """Never the same: it always runs."""
        return float("nan")

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Collect, then freeze; how many objects are frozen comes back under `frozen`."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        return io.NodeOutput(ui={"frozen": [gc.get_freeze_count()]})
