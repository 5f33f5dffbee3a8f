"""The list of our nodes, as ComfyUI asks for it."""

from comfy_api.latest import ComfyExtension, io

from .contour_feather.node import ContourFeather
from .draft_portrait.node import DraftPortrait, register_model_folder
from .hand_over.node import Composite, Settle, WritePixels
from .hand_over.readers import ReadContour, ReadMask, ReadPixels, read_ahead
from .identity.apply.node import IdentityApply, PulidInjectorLoader
from .identity.extract.nodes import (
    EvaClipLoader,
    FaceAnalysisLoader,
    IdentityExtract,
    PulidEncoderLoader,
)
from .identity.files import IdentityLoad, IdentitySave
from .identity.folders import register_model_folders
from .skin_shift.node import SkinShift


class FoxetalesExtension(ComfyExtension):  # type: ignore[misc]  # ComfyUI ships no types
    """The Foxetales nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """All nodes of the pack. ComfyUI asks once, at its start: model folders are made known
        first, and reading ahead begins."""
        register_model_folder()
        register_model_folders()
        read_ahead()
        return [
            Composite,
            ContourFeather,
            DraftPortrait,
            EvaClipLoader,
            FaceAnalysisLoader,
            IdentityApply,
            IdentityExtract,
            IdentityLoad,
            IdentitySave,
            PulidEncoderLoader,
            PulidInjectorLoader,
            ReadContour,
            ReadMask,
            ReadPixels,
            Settle,
            SkinShift,
            WritePixels,
        ]
