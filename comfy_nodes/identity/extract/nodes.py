"""Identity extraction as ComfyUI nodes: three loaders, and photo in, identity out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import comfy.model_management
import comfy.utils
import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ...tensors import rgb_of, the_only
from ..errors import at_input
from ..folders import EVA_CLIP, FACE_ANALYSIS, PULID, PULID_FILE, check, names, path_of
from ..weights import file_sha256
from .arcface import ArcFace
from .bisenet import read_bisenet
from .eva_clip import read_eva_clip
from .extractor import STEPS, Encoder, FaceAnalysis, Wishes, extract
from .idformer import read_idformer
from .retinaface import read_retinaface
from .scrfd import Scrfd

CATEGORY: Final = "foxetales/identity"
PulidEncoderType = io.Custom("FOXETALES_PULID_ENCODER")
EvaClipType = io.Custom("FOXETALES_EVA_CLIP")
FaceAnalysisType = io.Custom("FOXETALES_FACE_ANALYSIS")
IdentityType = io.Custom("FOXETALES_IDENTITY")

_DTYPES: Final = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True)
class LoadedEncoder:
    """What FOXETALES_PULID_ENCODER carries."""

    encoder: Encoder
    patcher: ModelPatcher


@dataclass(frozen=True)
class LoadedFaceAnalysis:
    """What FOXETALES_FACE_ANALYSIS carries."""

    analysis: FaceAnalysis
    patchers: tuple[ModelPatcher, ...]


def managed(network: torch.nn.Module) -> ModelPatcher:
    """A network that ComfyUI moves to the GPU when needed, and away when others need room."""
    return ModelPatcher(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=torch.device("cpu"),
    )


def _file(name: str, folder: str, default: str) -> io.Combo.Input:
    return io.Combo.Input(
        name, options=names(folder, default), default=default, tooltip=f"In models/{folder}."
    )


class PulidEncoderLoader(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Reads the half of a PuLID file that makes identities."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesPulidEncoderLoader",
            display_name="Load PuLID encoder",
            category=CATEGORY,
            description="Reads only the encoder of a PuLID-FLUX file, about 300 MB of 1.1 GB.",
            inputs=[_file("pulid", PULID, PULID_FILE)],
            outputs=[PulidEncoderType.Output(display_name="encoder")],
        )

    @classmethod
    def validate_inputs(cls, pulid: str) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        return check(PULID, pulid)

    @classmethod
    def execute(cls, pulid: str) -> io.NodeOutput:
        """Read the file.

        Raises:
            WeightsError: it is missing, damaged, or of another version of PuLID.
        """
        with at_input("pulid"):
            path = path_of(PULID, pulid)
            network = read_idformer(path)
        encoder = Encoder(network, file_sha256(path))
        return io.NodeOutput(LoadedEncoder(encoder, managed(network)))


class EvaClipLoader(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Reads EVA02-CLIP-L."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesEvaClipLoader",
            display_name="Load EVA-CLIP",
            category=CATEGORY,
            description="Reads the vision half of EVA02-CLIP-L at 336 pixels.",
            inputs=[_file("eva_clip", EVA_CLIP, "EVA02_CLIP_L_336_psz14_s6B.pt")],
            outputs=[EvaClipType.Output(display_name="eva_clip")],
        )

    @classmethod
    def validate_inputs(cls, eva_clip: str) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        return check(EVA_CLIP, eva_clip)

    @classmethod
    def execute(cls, eva_clip: str) -> io.NodeOutput:
        """Read the file.

        Raises:
            WeightsError: it is missing, damaged, or of another network.
        """
        with at_input("eva_clip"):
            network = read_eva_clip(path_of(EVA_CLIP, eva_clip))
        return io.NodeOutput(managed(network))


class FaceAnalysisLoader(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Reads the four networks that find and prepare a face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesFaceAnalysisLoader",
            display_name="Load face analysis",
            category=CATEGORY,
            description="Reads SCRFD and ArcFace (antelopev2), RetinaFace and BiSeNet (facexlib).",
            inputs=[
                _file("detector", FACE_ANALYSIS, "scrfd_10g_bnkps.onnx"),
                _file("recogniser", FACE_ANALYSIS, "glintr100.onnx"),
                _file("landmarks", FACE_ANALYSIS, "detection_Resnet50_Final.pth"),
                _file("parser", FACE_ANALYSIS, "parsing_bisenet.pth"),
            ],
            outputs=[FaceAnalysisType.Output(display_name="face_analysis")],
        )

    @classmethod
    def validate_inputs(
        cls, detector: str, recogniser: str, landmarks: str, parser: str
    ) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        return check(FACE_ANALYSIS, detector, recogniser, landmarks, parser)

    @classmethod
    def execute(cls, detector: str, recogniser: str, landmarks: str, parser: str) -> io.NodeOutput:
        """Read the files.

        Raises:
            WeightsError: one is missing, damaged, or of another network.
        """
        gpu = comfy.model_management.get_torch_device().type == "cuda"
        with at_input("detector"):
            finds = Scrfd(path_of(FACE_ANALYSIS, detector), gpu)
        with at_input("recogniser"):
            recognises = ArcFace(path_of(FACE_ANALYSIS, recogniser), gpu)
        with at_input("landmarks"):
            places = read_retinaface(path_of(FACE_ANALYSIS, landmarks))
        with at_input("parser"):
            parses = read_bisenet(path_of(FACE_ANALYSIS, parser))
        analysis = FaceAnalysis(finds, recognises, places, parses)
        patchers = (managed(places), managed(parses))
        return io.NodeOutput(LoadedFaceAnalysis(analysis, patchers))


class IdentityExtract(io.ComfyNode):  # type: ignore[misc]  # ComfyUI ships no types
    """Photo in, identity out."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Names, types and limits that ComfyUI shows."""
        return io.Schema(
            node_id="FoxetalesIdentityExtract",
            display_name="Extract identity",
            category=CATEGORY,
            description="Makes the identity of the one person in a photo. A photo without a face, "
            "with several, or with a tiny one is an error.",
            inputs=[
                io.Image.Input("photo", tooltip="A photo with one person, of any size."),
                FaceAnalysisType.Input("face_analysis"),
                EvaClipType.Input("eva_clip"),
                PulidEncoderType.Input("encoder"),
                io.Boolean.Input(
                    "unconditional",
                    default=False,
                    tooltip="Also encode nobody, for sampling with CFG above 1.",
                ),
                io.Combo.Input("dtype", options=list(_DTYPES), default="bfloat16"),
            ],
            outputs=[IdentityType.Output(display_name="identity")],
        )

    @classmethod
    def validate_inputs(cls, dtype: str) -> bool | str:
        """The server of ComfyUI 0.3.75 does not check choices of V3 nodes."""
        return dtype in _DTYPES or f"dtype {dtype!r} is not one of {', '.join(_DTYPES)}"

    @classmethod
    def execute(
        cls,
        photo: torch.Tensor,
        face_analysis: LoadedFaceAnalysis,
        eva_clip: ModelPatcher,
        encoder: LoadedEncoder,
        unconditional: bool,
        dtype: str,
    ) -> io.NodeOutput:
        """Extract from a photo float32 [1, H, W, 3 or 4], 0..1; alpha is left aside.

        Raises:
            FaceError: the message starts with `no_face:`, `several_faces:` or `face_too_small:`.
            IdentityError: weights don't fit, or make no finite numbers.
            ValueError: a batch of several photos.
        """
        pixels = rgb_of(the_only(photo, "photo"))
        bytes_ = np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)
        # Whole or not at all: these networks can't run with half of their weights elsewhere.
        comfy.model_management.load_models_gpu(
            [*face_analysis.patchers, eva_clip, encoder.patcher], force_full_load=True
        )
        wishes = Wishes(_DTYPES[dtype], unconditional, datetime.now(UTC))
        identity = extract(
            bytes_,
            face_analysis.analysis,
            eva_clip.model,
            encoder.encoder,
            wishes,
            comfy.utils.ProgressBar(STEPS).update_absolute,
        )
        return io.NodeOutput(identity)
