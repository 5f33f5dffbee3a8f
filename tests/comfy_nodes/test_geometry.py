"""The opening's ellipse, and the way a face gets there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfy_nodes.draft_portrait.alignment import PLACING, align, similarity
from comfy_nodes.draft_portrait.opening import Opening
from tests.comfy_nodes.pictures import astronaut, floats

POINTS = np.array([[10.0, 20.0], [40.0, 22.0], [25.0, 35.0], [14.0, 50.0], [37.0, 51.0]])


def test_a_positive_angle_leans_the_head_to_the_right_of_the_picture() -> None:
    upright = Opening(100, 100, 80, 100, 0).landmarks()
    leaning = Opening(100, 100, 80, 100, 30).landmarks()
    assert leaning[:2].mean(axis=0)[0] > upright[:2].mean(axis=0)[0]
    assert leaning[1][1] > leaning[0][1]


def test_depth_is_the_distance_to_the_rim_on_the_axes() -> None:
    opening = Opening(100, 100, 80, 100, 90)
    x = floats([[100, 100, 149, 151]])
    y = floats([[139, 141, 100, 100]])
    assert opening.depth(x, y)[0] == pytest.approx([1, -1, 1, -1], abs=0.05)


def test_an_opening_beyond_the_page_is_refused() -> None:
    with pytest.raises(ValueError, match="reaches beyond the page"):
        Opening(30, 100, 80, 100, 0).window(200, 200, 2)


@pytest.mark.parametrize("broken", [(8.0, 100.0), (float("nan"), 100.0), (80.0, -3.0)])
def test_an_opening_without_room_is_refused(broken: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="at least 16 pixels"):
        Opening(100, 100, *broken, 0)


@given(
    turn=st.floats(-3, 3),
    scale=st.floats(0.1, 9),
    shift=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
)
def test_a_similarity_is_found_again(turn: float, scale: float, shift: tuple[float, float]) -> None:
    a = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    found = similarity(POINTS, POINTS @ a.T + shift, PLACING)
    assert np.allclose(found, np.column_stack([a, shift]), atol=1e-6)


def test_points_that_coincide_give_no_similarity() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((5, 2)), POINTS, PLACING)


def test_an_aligned_face_has_its_eyes_on_target() -> None:
    opening = Opening(120, 150, 180, 220, 12)
    landmarks = np.array([[203.0, 101], [248, 103], [224, 124], [203, 143], [242, 144]])
    face = align(astronaut(), landmarks, opening.landmarks(), (240, 300))
    assert face.image.shape == (300, 240, 3)
    assert np.abs(face.landmarks[:2] - opening.landmarks()[:2]).max() < 8


def test_a_frame_reaching_beyond_the_photo_knows_it() -> None:
    face = align(astronaut(), POINTS, POINTS + 30, (100, 100))
    assert face.known[0, 0] == 0
    assert face.known[99, 99] == 1
