"""Hand-over's reading nodes: pixels that are decoded already, read before they are asked for."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import folder_paths
import torch
from comfy_api.latest import io
from server import PromptServer  # type: ignore[import-not-found]  # a module of ComfyUI

from ..contour_feather.kernel import feather
from ..paths import path_in
from ..tensors import FloatArray, each
from .ahead import Ahead, Makers, calls_in
from .kernel import (
    CHANNELS,
    SUFFIX,
    PixelsUnreadableError,
    image_and_mask,
    mask_of,
    read,
)
from .node import CATEGORY

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
            category=CATEGORY,
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
        return io.NodeOutput(*_AHEAD.take(_pixels, image))


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
            category=CATEGORY,
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
        return _check_mask(image, channel)

    @classmethod
    def execute(cls, image: str, channel: str) -> io.NodeOutput:
        """Read the file.

        Raises:
            PixelsUnreadableError: it is missing, cut short, or holds no picture.
        """
        return io.NodeOutput(_AHEAD.take(_mask, image, channel))


class ReadContour(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Read mask and Contour feather in one: as it needs no other node, it can be done ahead."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesReadContour",
            display_name="Read contour",
            category=CATEGORY,
            description="Contour feather, for a mask that is decoded already.",
            inputs=[
                io.String.Input("image", tooltip=_FILE_TIP),
                io.Combo.Input("channel", options=list(CHANNELS)),
                io.Int.Input("grow_px", default=2, min=0, max=256),
                io.Int.Input("feather_px", default=12, min=0, max=256),
            ],
            outputs=[io.Mask.Output(display_name="mask")],
        )

    @classmethod
    def validate_inputs(cls, image: str, channel: str) -> bool | str:
        """Say before anything runs that there is no such file or channel."""
        return _check_mask(image, channel)

    @classmethod
    def execute(cls, image: str, channel: str, grow_px: int, feather_px: int) -> io.NodeOutput:
        """Read the file, grow its shape and feather the contour.

        Raises:
            PixelsUnreadableError: it is missing, cut short, or holds no picture.
        """
        return io.NodeOutput(_AHEAD.take(_contour, image, channel, grow_px, feather_px))


def read_ahead() -> None:
    """From now on look at each prompt that is handed in, and read for it while others run."""
    PromptServer.instance.add_on_prompt_handler(_plan)
    _AHEAD.start()


def _plan(request: dict[str, Any]) -> dict[str, Any]:
    """Plan what a prompt under an id of its sender's will read; the request stays as it is."""
    if isinstance(request.get("prompt_id"), str):
        _AHEAD.plan(request["prompt_id"], calls_in(request.get("prompt"), _MAKERS))
    return request


def _queued() -> Collection[str]:
    running, waiting = PromptServer.instance.prompt_queue.get_current_queue_volatile()
    return {item[1] for item in (*running, *waiting)}


def _pixels(image: str) -> tuple[torch.Tensor, torch.Tensor]:
    return image_and_mask(read(_input_file(image)))


def _mask(image: str, channel: str) -> torch.Tensor:
    return mask_of(read(_input_file(image)), channel)


def _contour(image: str, channel: str, grow_px: int, feather_px: int) -> torch.Tensor:
    def change(mask: FloatArray) -> FloatArray:
        return feather(mask, grow_px, feather_px)

    return each(_mask(image, channel), change)


_AHEAD: Final = Ahead(_queued)

_MAKERS: Final[Makers] = {
    "FoxetalesReadPixels": (_pixels, ("image",)),
    "FoxetalesReadMask": (_mask, ("image", "channel")),
    "FoxetalesReadContour": (_contour, ("image", "channel", "grow_px", "feather_px")),
}


def _check_mask(name: str, channel: str) -> bool | str:
    if channel not in CHANNELS:
        return f"channel is not one of {', '.join(CHANNELS)}"
    return _check(name)


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
