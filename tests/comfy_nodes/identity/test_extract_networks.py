"""The networks of the extraction: each against its reference, and with files that don't fit."""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from comfy_nodes.identity.errors import WeightsError
from comfy_nodes.identity.extract.arcface import ArcFace
from comfy_nodes.identity.extract.bisenet import CLASSES, read_bisenet
from comfy_nodes.identity.extract.eva_clip import read_eva_clip
from comfy_nodes.identity.extract.idformer import IdFormer, read_idformer
from comfy_nodes.identity.extract.retinaface import find, read_retinaface
from comfy_nodes.identity.extract.scrfd import Scrfd
from comfy_nodes.identity.weights import file_sha256, read_part
from tests.comfy_nodes.pictures import astronaut
from tests.tiny_weights.portrait import BOX, LANDMARKS

PULID = "pulid/pulid_flux_v0.9.1.safetensors"
EVA = "eva_clip/EVA02_CLIP_L_336_psz14_s6B.pt"
SCRFD = "face_analysis/scrfd_10g_bnkps.onnx"
ARCFACE = "face_analysis/glintr100.onnx"
RETINAFACE = "face_analysis/detection_Resnet50_Final.pth"
BISENET = "face_analysis/parsing_bisenet.pth"

READERS: dict[str, Callable[[Path], object]] = {
    PULID: read_idformer,
    RETINAFACE: read_retinaface,
    BISENET: read_bisenet,
    EVA: read_eva_clip,
    SCRFD: lambda path: Scrfd(path, gpu=False),
    ARCFACE: lambda path: ArcFace(path, gpu=False),
}


@pytest.fixture(scope="module")
def encoder(models: Path) -> IdFormer:
    return read_idformer(models / PULID)


@pytest.fixture(scope="module")
def reference() -> Any:
    """`pulid.encoders_transformer` of a checkout of ToTheBeginning/PuLID."""
    folder = os.environ.get("PULID_REFERENCE")
    if folder is None:
        pytest.skip("PULID_REFERENCE does not name a checkout of ToTheBeginning/PuLID")
    sys.path.insert(0, folder)
    try:
        return import_module("pulid.encoders_transformer")
    finally:
        sys.path.remove(folder)


def seen(batch: int) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """An identity vector and hidden states of CLIP as long as real ones."""
    generator = torch.Generator().manual_seed(7)
    states = [torch.randn(batch, 577, 1024, generator=generator) for _ in range(5)]
    return torch.randn(batch, 1280, generator=generator), states


@pytest.mark.parametrize("batch", [1, 2])
def test_the_encoder_computes_what_the_reference_does(
    models: Path, encoder: IdFormer, reference: Any, batch: int
) -> None:
    theirs = reference.IDFormer()
    state = {
        key: value.float() for key, value in read_part(models / PULID, "pulid_encoder.").items()
    }
    theirs.load_state_dict(state)
    identity, hidden = seen(batch)
    with torch.inference_mode():
        ours, expected = encoder(identity, hidden), theirs(identity, hidden)
        difference = (ours - expected).abs().max() / expected.abs().max()
    assert ours.shape == (batch, 32, 2048)
    assert difference <= 1e-5


def test_the_encoder_takes_its_sizes_from_the_file(encoder: IdFormer, tmp_path: Path) -> None:
    shallow = {
        f"pulid_encoder.{key}": value
        for key, value in encoder.state_dict().items()
        if not key.startswith("layers.") or int(key.split(".")[1]) < 5
    }
    save_file(shallow, tmp_path / "shallow.safetensors")
    small = read_idformer(tmp_path / "shallow.safetensors")
    assert len(small.layers) == 5
    with torch.inference_mode():
        assert small(*seen(1)).shape == (1, 32, 2048)


def test_the_encoder_reads_only_its_own_half(models: Path, encoder: IdFormer) -> None:
    size = sum(value.numel() * 2 for value in encoder.state_dict().values())
    assert size < 310e6 < (models / PULID).stat().st_size
    assert not any("pulid_ca" in name for name in encoder.state_dict())


def test_the_parser_answers_for_every_pixel(models: Path) -> None:
    with torch.inference_mode():
        scores = read_bisenet(models / BISENET)(torch.randn(1, 3, 128, 96))
    assert scores.shape == (1, CLASSES, 128, 96)
    assert bool(torch.isfinite(scores).all())


def test_retinaface_looks_at_photos_of_any_size(models: Path) -> None:
    network = read_retinaface(models / RETINAFACE)
    with torch.inference_mode():
        found = find(network, astronaut()[:201, :333])
    assert all(face.landmarks.shape == (5, 2) for face in found)


def test_scrfd_finds_the_face_in_pixels_of_the_photo(models: Path) -> None:
    (face,) = Scrfd(models / SCRFD, gpu=False).find(astronaut())
    left, top, right, bottom = BOX
    assert face.box == pytest.approx((left, top, right - left, bottom - top), abs=0.01)
    assert abs(face.landmarks - LANDMARKS).max() < 0.01
    assert face.score == pytest.approx(1)


def test_scrfd_finds_nothing_in_a_picture_of_one_colour(models: Path) -> None:
    assert Scrfd(models / SCRFD, gpu=False).find(astronaut() * 0 + 90) == []


def test_arcface_gives_512_values(models: Path) -> None:
    values = ArcFace(models / ARCFACE, gpu=False).embed(astronaut(), LANDMARKS.astype(np.float64))
    assert values.shape == (512,)
    assert values.std() > 0


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_missing_is_an_error_with_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=r"^weights_unusable: there is no file "):
        READERS[name](tmp_path / Path(name).name)


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_short_is_an_error_with_its_name(
    models: Path, tmp_path: Path, name: str
) -> None:
    cut = tmp_path / Path(name).name
    with (models / name).open("rb") as file:
        cut.write_bytes(file.read(5000))
    with pytest.raises(WeightsError, match=f"{cut.name} is no whole "):
        READERS[name](cut)


@pytest.mark.parametrize(
    ("name", "other"),
    [(RETINAFACE, BISENET), (BISENET, RETINAFACE), (EVA, BISENET), (SCRFD, ARCFACE),
     (ARCFACE, SCRFD)],
)  # fmt: skip
def test_a_file_of_another_network_is_an_error_with_its_name(
    models: Path, name: str, other: str
) -> None:
    with pytest.raises(WeightsError, match=Path(other).name):
        READERS[name](models / other)


def test_a_pulid_file_of_another_version_is_refused(encoder: IdFormer, tmp_path: Path) -> None:
    state = {f"pulid_encoder.{key}": value for key, value in encoder.state_dict().items()}
    del state["pulid_encoder.layers.3.0.to_q.weight"]
    save_file(state, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors does not fit IdFormer"):
        read_idformer(tmp_path / "other.safetensors")
    save_file({"id_adapter.body": torch.zeros(1)}, tmp_path / "sdxl.safetensors")
    with pytest.raises(WeightsError, match="has no tensors pulid_encoder"):
        read_idformer(tmp_path / "sdxl.safetensors")


def test_a_file_that_was_written_to_has_another_hash(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"one")
    first = file_sha256(path)
    path.write_bytes(b"three")
    assert file_sha256(path) != first
