"""Finding the one face of a photo with the real network."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from comfy_nodes.draft_portrait.errors import ModelMissingError
from comfy_nodes.draft_portrait.faces import find_faces, the_face
from comfy_nodes.faces import FaceTooSmallError, NoFaceError, SeveralFacesError
from tests.comfy_nodes.pictures import EYES, MODEL, ByteImage, astronaut, turned


def scaled(picture: ByteImage, factor: float) -> ByteImage:
    return np.asarray(
        cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA),
        dtype=np.uint8,
    )


def test_the_astronaut_has_one_face_with_her_eyes_where_they_are() -> None:
    photo = astronaut()
    assert len(find_faces(photo, MODEL)) == 1
    assert np.abs(the_face(photo, MODEL).landmarks[:2] - EYES).max() < 4


@pytest.mark.parametrize("factor", [0.5, 2.0, 4.0])
def test_the_size_of_the_photo_does_not_matter(factor: float) -> None:
    face = the_face(scaled(astronaut(), factor), MODEL)
    assert np.abs(face.landmarks[:2] / factor - EYES).max() < 4


@pytest.mark.parametrize("clockwise", [-20.0, 20.0])
def test_a_tilted_head_has_tilted_eyes(clockwise: float) -> None:
    across = np.subtract(*the_face(turned(astronaut(), clockwise), MODEL).landmarks[[1, 0]])
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(clockwise + 2.5, abs=4)


def test_a_face_that_touches_the_border_is_found() -> None:
    tight = np.ascontiguousarray(astronaut()[75:195, 170:285])
    assert np.abs(the_face(tight, MODEL).landmarks[:2] - (EYES - (170, 75))).max() < 8


@pytest.mark.parametrize("size", [(40, 40), (300, 20), (1, 1), (700, 500)])
def test_a_photo_of_nothing_has_no_face(size: tuple[int, int]) -> None:
    with pytest.raises(NoFaceError, match=r"^no_face: "):
        the_face(np.full((*size, 3), 200, dtype=np.uint8), MODEL)


def test_two_people_are_one_too_many() -> None:
    with pytest.raises(SeveralFacesError, match=r"^several_faces: 2 "):
        the_face(np.concatenate([astronaut(), astronaut()], axis=1), MODEL)


def test_a_face_in_the_far_background_is_not_counted() -> None:
    photo = astronaut()
    photo[400:500, 400:500] = scaled(astronaut(), 0.25)[:100, :100]
    assert the_face(photo, MODEL).box[0] < 300


def test_a_tiny_face_is_too_small() -> None:
    with pytest.raises(FaceTooSmallError, match=r"^face_too_small: "):
        the_face(scaled(astronaut(), 0.3), MODEL)


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"^face_model_missing: gone\.onnx"):
        the_face(astronaut(), tmp_path / "gone.onnx")


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    with pytest.raises(ModelMissingError, match=r"^face_model_missing: broken\.onnx"):
        the_face(astronaut(), broken)


def test_the_same_photo_gives_the_same_face_after_photos_of_other_shapes() -> None:
    first = the_face(astronaut(), MODEL)
    the_face(scaled(astronaut()[:300], 1.5), MODEL)
    assert np.array_equal(the_face(astronaut(), MODEL).landmarks, first.landmarks)
