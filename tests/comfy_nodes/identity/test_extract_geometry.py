"""A face's way into ArcFace's and FFHQ's squares, against other people's arithmetic."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from comfy_nodes.faces import NoFaceError
from comfy_nodes.identity.extract.geometry import (
    ARCFACE_POINTS,
    FFHQ_POINTS,
    FFHQ_SIDE,
    arcface_crop,
    arcface_matrix,
    ffhq_crop,
    ffhq_matrix,
)
from tests.comfy_nodes.pictures import astronaut

Points = npt.NDArray[np.float64]

FACE = np.array([[203.0, 101], [248, 103], [226, 131], [207, 151], [247, 152]])
TOLERANCE = 1e-5


@st.composite
def faces(draw: st.DrawFn, wobble: float) -> Points:
    """Five landmarks: FFHQ's, turned, scaled, shifted, and each moved by a share of the face."""
    turn, side = draw(st.floats(-3.1, 3.1)), draw(st.floats(40, 900))
    shift = draw(st.tuples(st.floats(-200, 1200), st.floats(-200, 1200)))
    moves = draw(st.lists(st.floats(-wobble, wobble), min_size=10, max_size=10))
    c, s = np.cos(turn), np.sin(turn)
    plain = (FFHQ_POINTS - 256) / 512 + np.array(moves).reshape(5, 2)
    return np.asarray(side * plain @ np.array([[c, s], [-s, c]]) + shift)


def least_squares(source: Points, target: Points) -> Points:
    found = SimilarityTransform.from_estimate(source, target)
    assume(bool(found))
    return np.asarray(found.params[:2])


@given(face=faces(wobble=0.1))
def test_arcface_gets_the_least_squares_similarity_of_scikit_image(face: Points) -> None:
    ours, theirs = arcface_matrix(face), least_squares(face, ARCFACE_POINTS)
    assert np.abs(moved(face, ours) - moved(face, theirs)).max() <= TOLERANCE
    assert np.abs(ours - theirs).max() <= TOLERANCE * max(1.0, float(np.abs(theirs).max()))


@given(face=faces(wobble=0.0))
def test_ffhq_gets_the_similarity_of_scikit_image_where_landmarks_fit(face: Points) -> None:
    ours, theirs = ffhq_matrix(face), least_squares(face, FFHQ_POINTS)
    # OpenCV works in float32: the bar is a share of the square's side.
    assert np.abs(moved(face, ours) - moved(face, theirs)).max() / FFHQ_SIDE <= TOLERANCE


@given(face=faces(wobble=0.05))
def test_ffhq_gets_the_affine_of_opencv(face: Points) -> None:
    theirs, _ = cv2.estimateAffinePartial2D(face, FFHQ_POINTS, method=cv2.LMEDS)
    assert np.abs(ffhq_matrix(face) - theirs).max() <= TOLERANCE


@given(face=faces(wobble=0.0), reach=st.floats(0.3, 2.0))
@settings(max_examples=50)
def test_one_landmark_that_is_far_off_does_not_move_the_head(face: Points, reach: float) -> None:
    side = np.linalg.norm(face[1] - face[0])
    astray = face.copy()
    astray[2] += reach * side
    assert np.abs(moved(face, ffhq_matrix(astray)) - FFHQ_POINTS).max() <= 1e-2


@pytest.mark.parametrize("matrix", [arcface_matrix, ffhq_matrix])
def test_landmarks_that_coincide_are_no_face(matrix: object) -> None:
    assert callable(matrix)
    with pytest.raises(NoFaceError, match=r"^no_face: "):
        matrix(np.full((5, 2), 30.0))


def test_crops_put_the_landmarks_where_the_networks_want_them() -> None:
    assert arcface_crop(astronaut(), FACE).shape == (112, 112, 3)
    assert ffhq_crop(astronaut(), FACE).shape == (512, 512, 3)
    assert np.abs(moved(FACE, arcface_matrix(FACE)) - ARCFACE_POINTS).max() < 6


def test_where_the_photo_ends_arcface_sees_black_and_the_parser_grey() -> None:
    away = FACE - FACE.mean(axis=0)
    assert arcface_crop(astronaut(), away)[0, 0].tolist() == [0, 0, 0]
    assert ffhq_crop(astronaut(), away)[0, 0].tolist() == [132, 133, 135]


def moved(points: Points, matrix: Points) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])
