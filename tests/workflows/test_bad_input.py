"""What goes wrong in the production workflows is said clearly: which node, which input, and why."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from comfy_nodes.identity.embedding import SHAPE, Identity
from comfy_nodes.identity.weights import file_sha256
from handler.adapters.clock import SystemClock
from handler.comfy.engine import ComfyEngine
from handler.errors import ComfyError, NodeFailed, PromptRejected
from handler.graph import FilledGraph
from tests.tiny_weights import TINY_MODELS
from tests.tiny_weights.comfy import tiny_process
from tests.workflows.pages import PAGE, SIZE, released, write_inputs

pytestmark = pytest.mark.comfyui

PULID = "pulid/pulid_flux_v0.9.1.safetensors"
Spoil = Callable[[FilledGraph], None]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyEngine]:
    base = tmp_path_factory.mktemp("comfyui")
    with tiny_process(base) as (process, files):
        write_inputs(base)
        write_bad_pictures(base / "input")
        write_bad_identities(base / "input")
        write_bad_weights(base / "models")
        yield ComfyEngine(process, files, SystemClock(), quiet_timeout_s=120)


def write_bad_pictures(folder: Path) -> None:
    cv2.imwrite(str(folder / "sky.png"), np.full((300, 400, 3), 90, np.uint8))
    cv2.imwrite(str(folder / "small_mask.png"), np.full((SIZE // 2, SIZE), 255, np.uint8))
    cv2.imwrite(str(folder / "zero_mask.png"), np.zeros((SIZE, SIZE), np.uint8))


def write_bad_identities(folder: Path) -> None:
    tokens = torch.zeros(SHAPE, dtype=torch.bfloat16)
    other = Identity(tokens, "a" * 64, "b" * 64, "2026-01-01T00:00:00+00:00")
    other.save(folder / "other_pulid.safetensors")
    whole = (folder / "other_pulid.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    metadata = {
        "format": "foxetales.identity",
        "extractor_version": "1",
        "dtype": "bfloat16",
        "extracted_at": other.extracted_at,
        "pulid_sha256": other.pulid_sha256,
        "photo_sha256": other.photo_sha256,
    }
    save_file({"tokens": torch.full_like(tokens, torch.nan)}, folder / "nan.safetensors", metadata)
    good = metadata | {"pulid_sha256": file_sha256(TINY_MODELS / PULID)}
    save_file({"tokens": tokens}, folder / "identity.safetensors", good)


def write_bad_weights(folder: Path) -> None:
    """Damaged twins of weight files, and a transformer that is not FLUX."""
    for name in ("pulid", "eva_clip", "face_analysis", "diffusion_models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with (TINY_MODELS / PULID).open("rb") as file:
        (folder / "pulid" / "cut.safetensors").write_bytes(file.read(100_000))
    tensors = load_file(TINY_MODELS / PULID)
    older = {f"id_adapter.{name}": tensors[name] for name in ("pulid_ca.0.norm1.weight",)}
    save_file(older, folder / "pulid" / "older.safetensors")
    (folder / "eva_clip" / "cut.pt").write_bytes(b"PK\x03\x04 and no more")
    (folder / "face_analysis" / "cut.onnx").write_bytes(b"\x08\x07")
    (folder / "face_analysis" / "cut.pth").write_bytes(b"PK\x03\x04 and no more")
    save_file(stable_diffusion_3(), folder / "diffusion_models" / "sd3.safetensors")


def stable_diffusion_3() -> dict[str, torch.Tensor]:
    """As much of Stable Diffusion 3, one block deep, as ComfyUI needs to know it by."""
    block = "joint_blocks.0"
    return {
        f"{block}.context_block.attn.qkv.weight": torch.zeros(192, 64),
        f"{block}.x_block.attn.qkv.weight": torch.zeros(192, 64),
        "x_embedder.proj.weight": torch.zeros(64, 16, 2, 2),
        "final_layer.linear.weight": torch.zeros(64, 64),
        "y_embedder.mlp.0.weight": torch.zeros(64, 2048),
        "context_embedder.weight": torch.zeros(64, 4096),
        "context_embedder.bias": torch.zeros(64),
        "pos_embed": torch.zeros(1, 36864, 64),
    }


def page(spoil: Spoil | None = None, **changes: str | float) -> FilledGraph:
    """A storybook page of which one thing is wrong."""
    files = {**PAGE, "identity": "identity.safetensors"}
    files |= {name: str(changes.pop(name)) for name in list(changes) if name in files}
    workflow = released("storybook_page")
    filled = workflow.fill(changes, files, filename_prefix="run/page", seed=1)
    if spoil is not None:
        spoil(filled)
    return filled


def extraction(spoil: Spoil | None = None, photo: str = "photo.png") -> FilledGraph:
    """An extraction of which one thing is wrong."""
    filled = released("identity").fill({}, {"photo": photo}, filename_prefix="run/identity", seed=1)
    if spoil is not None:
        spoil(filled)
    return filled


def with_input(node_class: str, name: str, value: object) -> Spoil:
    """Put a value into an input of the one node of a class."""

    def spoil(filled: FilledGraph) -> None:
        (node,) = (n for n in filled.prompt.values() if n["class_type"] == node_class)
        node["inputs"][name] = value

    return spoil


def refusal(engine: ComfyEngine, graph: FilledGraph) -> ComfyError:
    with pytest.raises((NodeFailed, PromptRejected)) as caught:
        asyncio.run(engine.render(graph, lambda _step: None))
    return caught.value


FACES, EVA = "FoxetalesFaceAnalysisLoader", "FoxetalesEvaClipLoader"
ENCODER, INJECTOR = "FoxetalesPulidEncoderLoader", "FoxetalesPulidInjectorLoader"
APPLY, LOAD, EXTRACT = "FoxetalesIdentityApply", "FoxetalesIdentityLoad", "FoxetalesIdentityExtract"


@pytest.mark.parametrize(
    ("graph", "node_class", "words"),
    [
        (extraction(with_input(ENCODER, "pulid", "cut.safetensors")), ENCODER,
         "weights_unusable: input pulid: cut.safetensors is no whole"),
        (extraction(with_input(ENCODER, "pulid", "older.safetensors")), ENCODER,
         "weights_unusable: input pulid: older.safetensors has no tensors pulid_encoder"),
        (extraction(with_input(EVA, "eva_clip", "cut.pt")), EVA,
         "weights_unusable: input eva_clip: cut.pt is no whole"),
        (extraction(with_input(FACES, "detector", "cut.onnx")), FACES,
         "weights_unusable: input detector: cut.onnx"),
        (extraction(with_input(FACES, "recogniser", "cut.onnx")), FACES,
         "weights_unusable: input recogniser: cut.onnx"),
        (extraction(with_input(FACES, "landmarks", "cut.pth")), FACES,
         "weights_unusable: input landmarks: cut.pth"),
        (extraction(with_input(FACES, "parser", "cut.pth")), FACES,
         "weights_unusable: input parser: cut.pth"),
        (extraction(photo="sky.png"), EXTRACT, "no_face: no face was found in the photo"),
        (page(with_input(INJECTOR, "pulid_file", "cut.safetensors")), INJECTOR,
         "weights_unusable: input pulid_file: cut.safetensors is no whole"),
        (page(with_input(INJECTOR, "pulid_file", "older.safetensors")), INJECTOR,
         "weights_unusable: input pulid_file: older.safetensors holds no PuLID-FLUX"),
        (page(with_input("UNETLoader", "unet_name", "sd3.safetensors")), APPLY,
         "model_not_flux: input model: "),
        (page(identity="cut.safetensors"), LOAD, "embedding_unreadable: input file: "),
        (page(identity="nan.safetensors"), LOAD, "embedding_invalid: input file: "),
        (page(identity="other_pulid.safetensors"), APPLY, "embedding_mismatch: input identity: "),
        (page(person_mask="zero_mask.png"), APPLY, "identity_mask: input mask: it is zero"),
    ],
    ids=lambda value: "" if isinstance(value, FilledGraph) else str(value)[:50],
)  # fmt: skip
def test_a_node_says_what_it_cannot_use(
    engine: ComfyEngine, graph: FilledGraph, node_class: str, words: str
) -> None:
    error = refusal(engine, graph)
    assert error.node is not None
    assert graph.prompt[error.node]["class_type"] == node_class
    assert node_class in str(error)
    assert words in str(error)


@pytest.mark.parametrize(
    ("graph", "name", "words"),
    [
        (page(identity_weight=3.5), "weight", "3.5"),
        (page(identity_weight=-0.5), "weight", "-0.5"),
        (page(identity="gone.safetensors"), "file", "gone.safetensors"),
        (page(with_input(INJECTOR, "pulid_file", "gone.safetensors")), "pulid_file", "gone"),
        (page(background="gone.png"), "image", "gone.png"),
        (page(identity_start=0.8, identity_end=0.2), "start_at", "after end_at (0.8 > 0.2)"),
    ],
    ids=lambda value: "" if isinstance(value, FilledGraph) else str(value),
)
def test_comfyui_refuses_a_graph_before_anything_runs(
    engine: ComfyEngine, graph: FilledGraph, name: str, words: str
) -> None:
    error = refusal(engine, graph)
    assert isinstance(error, PromptRejected)
    assert error.node is not None
    assert f"input '{name}'" in str(error)
    assert words in str(error)


def test_a_mask_of_another_size_is_refused_where_it_is_used(engine: ComfyEngine) -> None:
    error = refusal(engine, page(person_mask="small_mask.png", quality="fast"))
    assert "identity_mask: input mask: " in str(error)
    assert f"{SIZE}" in str(error)
