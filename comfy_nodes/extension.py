"""The list of our nodes, as ComfyUI asks for it."""

from comfy_api.latest import ComfyExtension, io

from .contour_feather.node import ContourFeather
from .draft_portrait.node import DraftPortrait, register_model_folder
from .skin_shift.node import SkinShift


class FoxetalesExtension(ComfyExtension):  # type: ignore[misc]  # ComfyUI ships no types
    """The Foxetales nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of the pack; makes their model folder known first."""
        register_model_folder()
        return [ContourFeather, DraftPortrait, SkinShift]
