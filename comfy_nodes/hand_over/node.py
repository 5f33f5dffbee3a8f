"""Hand-over as ComfyUI nodes: drop-ins for nodes that keep the GPU waiting, and Settle."""

import gc
from pathlib import Path
from typing import Final

import folder_paths
import nodes
import torch
from comfy_api.latest import io

from ..paths import path_in
from .composite import composited, is_simple
from .kernel import (
    CHANNELS,
    SUFFIX,
    PixelsUnreadableError,
    bytes_of,
    image_and_mask,
    mask_of,
    read,
    write_new,
)

_CATEGORY: Final = "foxetales/hand-over"
_FILE_TIP: Final = "A .npy file in ComfyUI's input folder. Another content needs another name."


class ReadPixels(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """A .npy file in ComfyUI's input folder in, IMAGE and MASK out, as LoadImage gives them.

    It has no fingerprint: ComfyUI would hash the file while the GPU waits. A name stands for its
    content.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesReadPixels",
            display_name="Read pixels",
            category=_CATEGORY,
            description="Load image, for pixels that are decoded already.",
            inputs=[io.String.Input("image", tooltip=_FILE_TIP)],
            outputs=[
                io.Image.Output(display_name="image"),
                io.Mask.Output(display_name="mask"),
            ],
        )

    @classmethod
    def validate_inputs(cls, image: str) -> bool | str:
        """Say before anything runs that the file isn't there."""
        return _check(image)

    @classmethod
    def execute(cls, image: str) -> io.NodeOutput:
        """Read the file.

        Raises:
            PixelsUnreadableError: it is missing, cut short, or holds no picture.
        """
        return io.NodeOutput(*image_and_mask(read(_input_file(image))))


class ReadMask(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """A .npy file in ComfyUI's input folder in, one channel of it out, as LoadImageMask gives it.

    It has no fingerprint, as Read pixels has none.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesReadMask",
            display_name="Read mask",
            category=_CATEGORY,
            description="Load image as mask, for pixels that are decoded already.",
            inputs=[
                io.String.Input("image", tooltip=_FILE_TIP),
                io.Combo.Input("channel", options=list(CHANNELS)),
            ],
            outputs=[io.Mask.Output(display_name="mask")],
        )

    @classmethod
    def validate_inputs(cls, image: str, channel: str) -> bool | str:
        """Say before anything runs that there is no such file or channel."""
        if channel not in CHANNELS:
            return f"channel is not one of {', '.join(CHANNELS)}"
        return _check(image)

    @classmethod
    def execute(cls, image: str, channel: str) -> io.NodeOutput:
        """Read the file.

        Raises:
            PixelsUnreadableError: it is missing, cut short, or holds no picture.
        """
        return io.NodeOutput(mask_of(read(_input_file(image)), channel))


class WritePixels(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """IMAGE in, a .npy file a picture in ComfyUI's output folder out, with SaveImage's numbers."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesWritePixels",
            display_name="Write pixels",
            category=_CATEGORY,
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
            category=_CATEGORY,
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
            category=_CATEGORY,
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


def _check(name: str) -> bool | str:
    try:
        _input_file(name)
    except PixelsUnreadableError as error:
        return str(error)
    return True


def _input_file(name: str) -> Path:
    """A file of the input folder by its name.

    Raises:
        PixelsUnreadableError: there is no such file, or the name leads out of the folder.
    """
    path = path_in(folder_paths.get_input_directory(), name)
    if path is None or path.suffix != SUFFIX or not path.is_file():
        raise PixelsUnreadableError(f"{name!r} is no {SUFFIX} file in the input folder")
    return path
