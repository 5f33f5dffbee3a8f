"""One large face makes a portrait."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gateway.adapters.centerface import CenterFace
from gateway.errors import Problem
from gateway.faces import portrait_face
from gateway.ports import Face
from tests.gateway import pictures
from tests.gateway.conftest import FACE_MODEL


def face(left: float, top: float, edge: float, confidence: float = 0.9) -> Face:
    return Face((left, top, left + edge, top + edge), confidence)


def refusal(*faces: Face) -> Problem:
    with pytest.raises(Problem) as caught:
        portrait_face(faces, width=100, height=100, min_area_percent=10)
    return caught.value


def test_one_large_face_is_taken_with_its_share() -> None:
    found = portrait_face([face(10, 10, 50)], width=100, height=100, min_area_percent=10)
    assert (found.confidence, found.area_percent) == (0.9, 25.0)


def test_only_the_part_inside_the_photo_counts() -> None:
    found = portrait_face([face(-25, 0, 50)], width=100, height=100, min_area_percent=10)
    assert found.area_percent == 12.5


def test_nobody_is_refused() -> None:
    assert refusal().code == "no_face"


def test_two_alike_are_refused() -> None:
    assert refusal(face(0, 0, 40), face(50, 50, 30)).code == "several_faces"


def test_a_face_of_a_fifth_still_counts_and_a_smaller_one_does_not() -> None:
    assert refusal(face(0, 0, 50), face(60, 60, 22.4)).code == "several_faces"
    portrait_face([face(0, 0, 50), face(60, 60, 22.3)], width=100, height=100, min_area_percent=10)


def test_a_small_face_is_refused_with_both_numbers() -> None:
    problem = refusal(face(0, 0, 20))
    assert problem.code == "face_too_small"
    assert "4.0 %" in problem.detail
    assert "10 %" in problem.detail


def test_the_detector_finds_the_astronaut(real_faces: CenterFace) -> None:
    faces = real_faces.detect(np.asarray(pictures.astronaut()))
    assert len(faces) == 1
    left, top, right, bottom = faces[0].box
    assert faces[0].confidence > 0.8
    assert 150 < left < right < 300
    assert 50 < top < bottom < 230


def test_the_detector_sees_the_same_share_at_every_size(real_faces: CenterFace) -> None:
    shares = []
    for edge in (300, 512, 1024, 2048):
        box = real_faces.detect(np.asarray(pictures.astronaut().resize((edge, edge))))[0].box
        shares.append((box[2] - box[0]) * (box[3] - box[1]) / edge**2)
    assert max(shares) - min(shares) < 0.01


def test_the_detector_finds_two(real_faces: CenterFace) -> None:
    assert len(real_faces.detect(np.asarray(pictures.two_faces()))) == 2


def test_the_detector_finds_nobody_in_scenery(real_faces: CenterFace) -> None:
    assert real_faces.detect(np.asarray(pictures.scenery())) == []


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2048, 3), (2048, 1, 3)])
def test_the_detector_survives_odd_shapes(
    real_faces: CenterFace, shape: tuple[int, int, int]
) -> None:
    assert real_faces.detect(np.zeros(shape, np.uint8)) == []


def test_a_missing_model_is_told_by_its_path() -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.onnx"):
        CenterFace(FACE_MODEL.with_name("absent.onnx"))


def test_the_detector_serves_several_threads(real_faces: CenterFace) -> None:
    photos = [np.asarray(pictures.astronaut()), np.asarray(pictures.two_faces())] * 4
    with ThreadPoolExecutor(4) as pool:
        counts = [len(faces) for faces in pool.map(real_faces.detect, photos)]
    assert counts == [1, 2] * 4
