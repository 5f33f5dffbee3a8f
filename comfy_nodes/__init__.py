"""The Foxetales node pack for ComfyUI; lies in `custom_nodes/foxetales` of a base directory."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_api.latest import ComfyExtension


async def comfy_entrypoint() -> "ComfyExtension":
    """What ComfyUI calls once at start; returns the pack's nodes."""
    # Imported here, so that the kernels can be imported where there is no ComfyUI.
    from .extension import FoxetalesExtension

    return FoxetalesExtension()
