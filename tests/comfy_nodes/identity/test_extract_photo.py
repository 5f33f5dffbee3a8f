"""From a photo to an identity with random weights of every network."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from comfy_nodes.faces import (
    Face,
    FaceTooSmallError,
    NoFaceError,
    SeveralFacesError,
    the_one,
)
from comfy_nodes.identity.embedding import Identity
from comfy_nodes.identity.extract.arcface import ArcFace
from comfy_nodes.identity.extract.bisenet import read_bisenet
from comfy_nodes.identity.extract.eva_clip import look, read_eva_clip
from comfy_nodes.identity.extract.extractor import (
    STEPS,
    Encoder,
    FaceAnalysis,
    Wishes,
    extract,
    fitted,
    overlap,
    photo_sha256,
    whitened,
)
from comfy_nodes.identity.extract.idformer import read_idformer
from comfy_nodes.identity.extract.retinaface import read_retinaface
from comfy_nodes.identity.extract.scrfd import Scrfd
from tests.comfy_nodes.pictures import ByteImage, astronaut

PULID_SHA256 = "d" * 64
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLAIN = Wishes(torch.float32, unconditional=False, now=NOW)

Extractor = Callable[..., Identity]


def nobody(step: int) -> None:
    """Takes no notice of progress."""


@pytest.fixture(scope="module")
def clip(models: Path) -> torch.nn.Module:
    return read_eva_clip(models / "eva_clip" / "EVA02_CLIP_L_336_psz14_s6B.pt")


@pytest.fixture(scope="module")
def extracted(models: Path, clip: torch.nn.Module) -> Extractor:
    folder = models / "face_analysis"
    analysis = FaceAnalysis(
        Scrfd(folder / "scrfd_10g_bnkps.onnx", gpu=False),
        ArcFace(folder / "glintr100.onnx", gpu=False),
        read_retinaface(folder / "detection_Resnet50_Final.pth"),
        read_bisenet(folder / "parsing_bisenet.pth"),
    )
    pulid = models / "pulid" / "pulid_flux_v0.9.1.safetensors"
    encoder = Encoder(read_idformer(pulid), PULID_SHA256)

    def run(
        photo: ByteImage, wishes: Wishes = PLAIN, progress: Callable[[int], None] = nobody
    ) -> Identity:
        return extract(photo, analysis, clip, encoder, wishes, progress)

    return run


@pytest.fixture(scope="module")
def hers(extracted: Extractor) -> Identity:
    return extracted(astronaut())


def test_a_photo_becomes_an_identity_with_its_record(hers: Identity) -> None:
    assert hers.tokens.shape == (1, 32, 2048)
    assert hers.dtype == "float32"
    assert hers.unconditional is None
    assert hers.pulid_sha256 == PULID_SHA256
    assert hers.photo_sha256 == photo_sha256(astronaut())
    assert hers.extracted_at == "2026-03-01T12:00:00+00:00"


def test_the_same_photo_gives_the_same_identity_and_another_one_another(
    extracted: Extractor, hers: Identity
) -> None:
    wishes, steps = replace(PLAIN, dtype=torch.bfloat16, unconditional=True), list[int]()
    again = extracted(astronaut(), wishes, steps.append)
    assert torch.equal(again.tokens, hers.tokens.bfloat16())
    assert again.unconditional is not None
    assert not torch.equal(again.unconditional, again.tokens)
    assert steps == list(range(1, STEPS + 1))
    other = extracted(np.ascontiguousarray(255 - astronaut()))
    assert not torch.allclose(other.tokens, hers.tokens, atol=1e-4)


def test_a_photo_without_a_face_is_refused(extracted: Extractor) -> None:
    with pytest.raises(NoFaceError, match=r"^no_face: "):
        extracted(np.full((300, 400, 3), 90, dtype=np.uint8))


def face(x: float, y: float, side: float) -> Face:
    return Face(0.9, (x, y, side, side), np.zeros((5, 2)))


def test_two_faces_of_similar_size_are_refused() -> None:
    with pytest.raises(SeveralFacesError, match=r"^several_faces: 2 faces"):
        the_one([face(0, 0, 100), face(200, 0, 60)])


def test_a_passer_by_is_left_aside() -> None:
    assert the_one([face(0, 0, 200), face(300, 0, 60)]).box[0] == 0


def test_a_tiny_face_is_refused() -> None:
    with pytest.raises(FaceTooSmallError, match=r"^face_too_small: .* is 39 pixels"):
        the_one([face(0, 0, 39)])


def test_boxes_share_what_they_share() -> None:
    assert overlap(face(0, 0, 10), face(0, 0, 10)) == 1
    assert overlap(face(0, 0, 10), face(5, 0, 10)) == pytest.approx(1 / 3)
    assert overlap(face(0, 0, 10), face(20, 20, 10)) == 0


def test_a_large_photo_is_made_smaller_and_a_small_one_is_not() -> None:
    assert fitted(np.zeros((2000, 3000, 3), dtype=np.uint8)).shape == (682, 1024, 3)
    assert fitted(astronaut()).shape == astronaut().shape


def test_only_face_hair_and_glasses_stay_and_they_turn_grey() -> None:
    parts = torch.arange(19).view(1, 1, 19)
    red = torch.zeros(1, 3, 1, 19)
    red[:, 0] = 1.0
    seen = whitened(red, parts)
    white = [part for part in range(19) if seen[0, 0, 0, part] == 1]
    assert white == [0, 7, 8, 9, 14, 15, 16, 18]
    assert seen[0, :, 0, 17].tolist() == pytest.approx([0.299] * 3)


def test_a_hash_of_a_photo_knows_its_shape() -> None:
    flat = np.zeros((2, 8, 3), dtype=np.uint8)
    assert photo_sha256(flat) != photo_sha256(flat.reshape(8, 2, 3))


def test_clip_gives_features_of_length_one_and_five_states(clip: torch.nn.Module) -> None:
    with torch.inference_mode():
        features, hidden = look(clip, torch.rand(1, 3, 512, 512))
    assert features.shape == (1, 768)
    assert float(features.norm()) == pytest.approx(1, abs=1e-5)
    assert [tuple(state.shape) for state in hidden] == [(1, 577, 1024)] * 5
    assert not torch.equal(hidden[0], hidden[1])
