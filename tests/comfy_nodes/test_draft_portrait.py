"""The painted page: her face in the opening, everything else as it was."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfy_nodes.draft_portrait.faces import the_face
from comfy_nodes.draft_portrait.head import fill_behind
from comfy_nodes.draft_portrait.kernel import REACH_PX, STEPS, draw
from comfy_nodes.draft_portrait.light import lab_of
from comfy_nodes.draft_portrait.opening import Opening
from comfy_nodes.draft_portrait.watercolour import paint
from comfy_nodes.faces import NoFaceError
from tests.comfy_nodes.pictures import (
    MODEL,
    ByteImage,
    FloatImage,
    astronaut,
    floats,
    template,
    turned,
)


def drawn(photo: ByteImage, angle: float = 0.0, strength: float = 0.85) -> FloatImage:
    page = template(angle=angle)
    return draw(photo, page.character, page.opening, strength, MODEL, lambda _: None)


@lru_cache(maxsize=1)
def her_page() -> FloatImage:
    return drawn(astronaut())


def depth(opening: Opening) -> FloatImage:
    y, x = np.mgrid[0:1024, 0:1024].astype(np.float32)
    return opening.depth(x, y)


def median_lab(page: FloatImage) -> FloatImage:
    """Colour of the middle of the face."""
    inner = depth(template().opening) > 40
    return np.asarray(np.median(lab_of(page)[inner], axis=0), dtype=np.float32)


def as_bytes(page: FloatImage) -> ByteImage:
    return np.rint(page * 255).astype(np.uint8)


def test_every_pixel_beyond_the_opening_keeps_its_bits() -> None:
    page = template()
    beyond = depth(page.opening) < -REACH_PX
    assert np.array_equal(her_page()[beyond], page.character[beyond])


def test_the_result_is_a_page_in_range() -> None:
    assert her_page().dtype == np.float32
    assert her_page().shape == (1024, 1024, 3)
    assert 0 <= her_page().min() <= her_page().max() <= 1


def test_painting_twice_gives_the_same_bits() -> None:
    assert np.array_equal(drawn(astronaut()), her_page())


@pytest.mark.parametrize("angle", [-15.0, 0.0, 15.0])
def test_the_detector_finds_one_face_in_the_opening_looking_as_it_leans(angle: float) -> None:
    wanted = template(angle=angle).opening.landmarks()
    found = the_face(as_bytes(drawn(astronaut(), angle)), MODEL)
    assert np.abs(found.landmarks - wanted).max() < 22


@pytest.mark.parametrize("clockwise", [-20.0, 20.0])
def test_a_tilted_head_is_set_upright(clockwise: float) -> None:
    eyes = the_face(as_bytes(drawn(turned(astronaut(), clockwise))), MODEL).landmarks[:2]
    assert abs(eyes[1, 1] - eyes[0, 1]) < 10


def test_a_dark_photo_comes_out_about_as_light_as_a_good_one() -> None:
    dim = np.asarray(astronaut() * 0.45, dtype=np.uint8)
    assert abs(median_lab(drawn(dim))[0] - median_lab(her_page())[0]) < 8


def test_a_black_and_white_photo_is_coloured_like_the_painting() -> None:
    grey = np.repeat(astronaut().mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    wanted = median_lab(template().character)
    assert np.abs(median_lab(drawn(grey))[1:] - wanted[1:]).max() < 7


def test_a_darker_complexion_stays_darker() -> None:
    darker = np.asarray(astronaut() * floats([0.62, 0.5, 0.44]), dtype=np.uint8)
    darker[:60, :60] = 250  # what is white in the photo says that the light is good
    assert median_lab(drawn(darker))[0] < median_lab(her_page())[0] - 12


def test_no_ring_of_the_placeholder_is_left_at_the_rim() -> None:
    """Its skin, which is lighter than the shadow under the hood, must not shine through."""
    edge = np.abs(depth(template().opening)) < 1.5
    placeholder = lab_of(template().character)[..., 0]
    lighter = lab_of(her_page())[..., 0][edge] > placeholder[edge] + 6
    assert lighter.mean() < 0.02


def test_a_photo_without_a_face_leaves_no_page() -> None:
    with pytest.raises(NoFaceError):
        drawn(np.full((300, 300, 3), 128, dtype=np.uint8))


def test_progress_is_reported_step_by_step() -> None:
    seen: list[int] = []
    report: Callable[[int], None] = seen.append
    page = template()
    draw(astronaut(), page.character, page.opening, 0.5, MODEL, report)
    assert seen == list(range(1, STEPS + 1))


def test_watercolour_of_no_strength_is_the_picture_itself() -> None:
    picture = template(128).character
    assert paint(picture, 0.0, 30.0, 1.0) is picture


@pytest.mark.parametrize("strength", [-0.1, 1.01, float("nan")])
def test_watercolour_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="watercolour strength"):
        paint(template(128).character, strength, 30.0, 1.0)


@given(st.integers(5, 70), st.integers(5, 70), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_what_lies_behind_the_head_takes_only_colours_of_the_head(
    height: int, width: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    image = np.full((height, width, 3), floats([1, 0, 1]))
    matte = np.zeros((height, width), dtype=np.float32)
    head = (slice(height // 4, height // 2 + 1), slice(width // 4, width // 2 + 1))
    matte[head] = 1
    image[head] = floats([0.2, 0.4, 0.1]) + 0.1 * random.random(image[head].shape, np.float32)
    filled = fill_behind(image, matte)
    assert np.array_equal(filled[head], image[head])
    assert filled[..., 0].max() < 0.31
    assert filled[..., 2].max() < 0.21
