"""Photo in, identity file out, and back in, in a real ComfyUI on the CPU."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from comfy_nodes.identity.embedding import Identity
from comfy_nodes.identity.weights import file_sha256
from tests.comfy_nodes.comfy import Comfy
from tests.comfy_nodes.pictures import ASTRONAUT
from tests.tiny_weights import TINY_MODELS
from tests.tiny_weights.comfy import running_tiny_comfy

pytestmark = pytest.mark.comfyui

GRAPH: dict[str, Any] = {
    "photo": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
    "faces": {
        "class_type": "FoxetalesFaceAnalysisLoader",
        "inputs": {
            "detector": "scrfd_10g_bnkps.onnx",
            "recogniser": "glintr100.onnx",
            "landmarks": "detection_Resnet50_Final.pth",
            "parser": "parsing_bisenet.pth",
        },
    },
    "clip": {
        "class_type": "FoxetalesEvaClipLoader",
        "inputs": {"eva_clip": "EVA02_CLIP_L_336_psz14_s6B.pt"},
    },
    "encoder": {
        "class_type": "FoxetalesPulidEncoderLoader",
        "inputs": {"pulid": "pulid_flux_v0.9.1.safetensors"},
    },
    "extract": {
        "class_type": "FoxetalesIdentityExtract",
        "inputs": {
            "photo": ["photo", 0],
            "face_analysis": ["faces", 0],
            "eva_clip": ["clip", 0],
            "encoder": ["encoder", 0],
            "unconditional": True,
            "dtype": "bfloat16",
        },
    },
    "save": {
        "class_type": "FoxetalesIdentitySave",
        "inputs": {"identity": ["extract", 0], "filename_prefix": "identity/person"},
    },
}


def see_through(picture: Any) -> Any:
    """The picture with an alpha channel, half of it transparent."""
    alpha = np.full(picture.shape[:2], 255, np.uint8)
    alpha[:, : picture.shape[1] // 2] = 0
    return np.dstack([picture, alpha])


@pytest.fixture(scope="module")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comfy]:
    with running_tiny_comfy(tmp_path_factory.mktemp("comfyui")) as running:
        inputs = running.base / "input"
        (inputs / "photo.png").write_bytes(ASTRONAUT.read_bytes())
        cv2.imwrite(str(inputs / "alpha.png"), see_through(cv2.imread(str(ASTRONAUT))))
        cv2.imwrite(str(inputs / "sky.png"), np.full((300, 400, 3), 90, dtype=np.uint8))
        (inputs / "cut.safetensors").write_bytes(b"\x80\x00\x00\x00")
        yield running


def with_input(node: str, name: str, value: object) -> dict[str, Any]:
    graph = deepcopy(GRAPH)
    graph[node]["inputs"][name] = value
    return graph


def saved(comfy: Comfy, graph: dict[str, Any]) -> Identity:
    events = comfy.run(graph)
    assert events[-1].type == "execution_success", events[-1].data
    output = next(e for e in events if e.type == "executed" and e.data["node"] == "save")
    entry = output.data["output"]["identities"][0]
    return Identity.load(comfy.base / entry["type"] / entry["subfolder"] / entry["filename"])


def test_our_nodes_take_the_inputs_that_the_graph_gives(comfy: Comfy) -> None:
    info = comfy.node_info()
    for node in GRAPH.values():
        assert set(node["inputs"]) == set(info[node["class_type"]]["input"]["required"])
    assert info["FoxetalesIdentityLoad"]["output"] == ["FOXETALES_IDENTITY"]


def test_an_identity_goes_into_a_file_and_comes_back_bit_for_bit(comfy: Comfy) -> None:
    made = saved(comfy, GRAPH)
    assert made.pulid_sha256 == file_sha256(TINY_MODELS / "pulid" / "pulid_flux_v0.9.1.safetensors")
    assert made.dtype == "bfloat16"
    made.save(comfy.base / "input" / "person.safetensors")
    again = saved(
        comfy,
        {
            "load": {
                "class_type": "FoxetalesIdentityLoad",
                "inputs": {"file": "person.safetensors"},
            },
            "save": {
                "class_type": "FoxetalesIdentitySave",
                "inputs": {"identity": ["load", 0], "filename_prefix": "identity/again"},
            },
        },
    )
    assert torch.equal(again.tokens, made.tokens)
    assert made.unconditional is not None
    assert again.unconditional is not None
    assert torch.equal(again.unconditional, made.unconditional)
    assert again.extracted_at == made.extracted_at


def test_alpha_is_left_aside(comfy: Comfy) -> None:
    opaque, alpha = saved(comfy, GRAPH), saved(comfy, with_input("photo", "image", "alpha.png"))
    assert alpha.photo_sha256 == opaque.photo_sha256
    assert torch.equal(alpha.tokens, opaque.tokens)


def test_a_photo_without_a_face_fails_with_a_stable_code(comfy: Comfy) -> None:
    last = comfy.run(with_input("photo", "image", "sky.png"))[-1]
    assert last.type == "execution_error"
    assert last.data["node_type"] == "FoxetalesIdentityExtract"
    assert last.data["exception_message"].startswith("no_face: ")


def test_a_file_cut_short_fails_with_its_name(comfy: Comfy) -> None:
    graph = {
        "load": {"class_type": "FoxetalesIdentityLoad", "inputs": {"file": "cut.safetensors"}},
        "save": {
            "class_type": "FoxetalesIdentitySave",
            "inputs": {"identity": ["load", 0], "filename_prefix": "identity/cut"},
        },
    }
    last = comfy.run(graph)[-1]
    assert last.data["node_type"] == "FoxetalesIdentityLoad"
    assert last.data["exception_message"].startswith(
        "embedding_unreadable: input file: cut.safetensors"
    )


@pytest.mark.parametrize(
    ("node", "name", "value", "said"),
    [
        ("encoder", "pulid", "../secrets.safetensors", "weights_unusable: "),
        ("clip", "eva_clip", "none.pt", "weights_unusable: "),
        ("faces", "parser", "none.pth", "weights_unusable: "),
        ("extract", "dtype", "float16", "not one of"),
    ],
)
def test_an_unknown_choice_is_refused_before_anything_runs(
    comfy: Comfy, node: str, name: str, value: str, said: str
) -> None:
    answer = comfy.submit(with_input(node, name, value))
    assert answer.status_code == 400
    assert said in answer.json()["node_errors"][node]["errors"][0]["details"]


@pytest.mark.parametrize("file", ["../output/person.safetensors", "photo.png", "none.safetensors"])
def test_only_identity_files_of_the_input_folder_can_be_loaded(comfy: Comfy, file: str) -> None:
    graph = {
        "load": {"class_type": "FoxetalesIdentityLoad", "inputs": {"file": file}},
        "save": {
            "class_type": "FoxetalesIdentitySave",
            "inputs": {"identity": ["load", 0], "filename_prefix": "identity/none"},
        },
    }
    answer = comfy.submit(graph)
    assert answer.status_code == 400
    said = answer.json()["node_errors"]["load"]["errors"][0]["details"]
    assert "embedding_unreadable: " in said
