"""What the tiny weight files hold, and how they are written."""

import hashlib
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from safetensors import safe_open

from tests.comfy_nodes.pictures import astronaut
from tests.tiny_weights import (
    FILES,
    TINY_MODELS,
    make,
    write_arcface,
    write_bisenet,
    write_eva,
    write_lora,
    write_pulid,
    write_retinaface,
    write_scrfd,
    write_upscaler,
    write_vae,
)
from tests.tiny_weights.portrait import BOX, LANDMARKS, SIZE
from tests.tiny_weights.text_encoders import T5_CONFIG_KEY, write_t5
from tests.torchvision import allow_torchvision

PUBLISHED_BYTES = {
    "pulid/pulid_flux_v0.9.1.safetensors": 1_142_099_520,
    "face_analysis/detection_Resnet50_Final.pth": 109_497_761,
    "face_analysis/parsing_bisenet.pth": 53_289_463,
}
EVA_PARAMETERS = 304_000_000
DISK_BYTES = 2_500_000_000

Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def models() -> Path:
    make()
    return TINY_MODELS


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "write",
    [write_arcface, write_bisenet, write_eva, write_lora, write_scrfd, write_upscaler, write_vae],
)
def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, write: Callable[[Path], None]) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "file")
    assert digest(tmp_path / "first" / "file") == digest(tmp_path / "second" / "file")


def test_another_seed_writes_other_values(tmp_path: Path) -> None:
    write_lora(tmp_path / "zero", seed=0)
    write_lora(tmp_path / "one", seed=1)
    assert digest(tmp_path / "zero") != digest(tmp_path / "one")


def test_a_second_call_writes_nothing(models: Path) -> None:
    before = {name: (models / name).stat().st_mtime_ns for name in FILES}
    make(models)
    assert {name: (models / name).stat().st_mtime_ns for name in FILES} == before


def test_all_files_together_stay_small(models: Path) -> None:
    assert sum((models / name).stat().st_size for name in FILES) < DISK_BYTES


@pytest.mark.parametrize("name", sorted(PUBLISHED_BYTES))
def test_files_in_full_shape_are_as_large_as_the_published_ones(models: Path, name: str) -> None:
    assert (models / name).stat().st_size == pytest.approx(PUBLISHED_BYTES[name], rel=1e-3)


def test_pulid_has_every_tensor_in_bfloat16(models: Path) -> None:
    with safe_open(models / "pulid" / "pulid_flux_v0.9.1.safetensors", framework="pt") as file:
        names = list(file.keys())
        assert len(names) == 312
        assert {file.get_slice(name).get_dtype() for name in names} == {"BF16"}


def test_pulid_can_have_fewer_layers(tmp_path: Path) -> None:
    write_pulid(tmp_path / "small", layers=5, attentions=1)
    with safe_open(tmp_path / "small", framework="pt") as file:
        names = set(file.keys())
    assert len({name.split(".")[2] for name in names if ".layers." in name}) == 5
    assert {name.split(".")[1] for name in names if name.startswith("pulid_ca.")} == {"0"}


def test_evas_blocks_share_their_values_on_disk(models: Path) -> None:
    path = models / "eva_clip" / "EVA02_CLIP_L_336_psz14_s6B.pt"
    state = torch.load(path, weights_only=True)
    assert sum(tensor.numel() for tensor in state.values()) == pytest.approx(
        EVA_PARAMETERS, rel=0.01
    )
    assert path.stat().st_size < 30_000_000
    first, last = (state[f"visual.blocks.{number}.attn.q_proj.weight"] for number in (0, 23))
    assert first.data_ptr() == last.data_ptr()


def test_timm_takes_eva_without_a_tensor_left_over(models: Path) -> None:
    allow_torchvision()
    eva = importlib.import_module("timm.models.eva")
    with torch.device("meta"):
        model = eva.eva02_large_patch14_clip_336(num_classes=768)
    path = models / "eva_clip" / "EVA02_CLIP_L_336_psz14_s6B.pt"
    state = eva.checkpoint_filter_fn(torch.load(path, weights_only=True), model)
    model.load_state_dict(state, strict=True, assign=True)


def test_a_t5_file_says_how_small_it_is(tmp_path: Path) -> None:
    write_t5(tmp_path / "t5")
    with safe_open(tmp_path / "t5", framework="pt") as file:
        config = json.loads(file.metadata()[T5_CONFIG_KEY])
        assert not any(name.startswith("encoder.block.1.") for name in file.keys())  # noqa: SIM118 - no dict
    assert config["num_layers"] == 1


def test_retinafaces_names_carry_the_prefix_of_the_published_file(tmp_path: Path) -> None:
    write_retinaface(tmp_path / "weights")
    state = torch.load(tmp_path / "weights", weights_only=True)
    assert all(name.startswith("module.") for name in state)
    assert state["module.body.layer4.2.conv3.weight"].shape == (2048, 512, 1, 1)
    assert state["module.LandmarkHead.2.conv1x1.bias"].shape == (20,)


def run(path: Path, picture: Floats) -> dict[str, Floats]:
    """Every output of an ONNX file by its name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    (entry,) = session.get_inputs()
    return dict(zip(names, session.run(None, {entry.name: picture}), strict=True))


def prepared(picture: npt.NDArray[np.uint8]) -> Floats:
    """As SCRFD wants its picture: 640 × 640, -1..1."""
    large = cv2.resize(picture, (640, 640)).astype(np.float32)
    return np.ascontiguousarray(((large - 127.5) / 128).transpose(2, 0, 1)[None])


def test_scrfd_finds_the_portraits_face_and_nothing_else(models: Path) -> None:
    found = run(models / "face_analysis" / "scrfd_10g_bnkps.onnx", prepared(astronaut()))
    assert [list(values.shape) for values in found.values()] == [
        [12800, 1], [3200, 1], [800, 1],
        [12800, 4], [3200, 4], [800, 4],
        [12800, 10], [3200, 10], [800, 10],
    ]  # fmt: skip
    scores, boxes, points = (found[name][:, :] for name in ("471", "474", "477"))
    assert not found["448"].any()
    assert not found["494"].any()
    (row,) = np.flatnonzero(scores > 0.5)
    anchor = np.array([row // 2 % 40, row // 2 // 40]) * 16
    scale = SIZE / 640
    box = np.concatenate([anchor - boxes[row, :2] * 16, anchor + boxes[row, 2:] * 16]) * scale
    assert box == pytest.approx(BOX, abs=0.01)
    assert (points[row].reshape(5, 2) * 16 + anchor) * scale == pytest.approx(LANDMARKS, abs=0.01)


def test_scrfd_finds_no_face_in_a_picture_of_one_colour(models: Path) -> None:
    plain = np.full((SIZE, SIZE, 3), 128, dtype=np.uint8)
    found = run(models / "face_analysis" / "scrfd_10g_bnkps.onnx", prepared(plain))
    assert not any(found[name].any() for name in ("448", "471", "494"))


def test_arcface_tells_two_pictures_apart(models: Path) -> None:
    path = models / "face_analysis" / "glintr100.onnx"
    random = np.random.default_rng(1)
    pictures = random.uniform(-1, 1, (2, 3, 112, 112)).astype(np.float32)
    first, second = run(path, pictures)["1333"]
    assert first.shape == (512,)
    assert np.abs(first - second).max() > 0.01
