"""The mask's contour: grown, soft outwards, exact everywhere else."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from comfy_nodes.contour_feather.kernel import feather, support

shapes = arrays(np.float32, (24, 31), elements=st.sampled_from([0.0, 1.0]))
pixels = st.integers(0, 9)


def disc(radius: int) -> npt.NDArray[np.float32]:
    picture = np.zeros((101, 101), dtype=np.uint8)
    cv2.circle(picture, (50, 50), radius, 1, -1)
    return picture.astype(np.float32)


@given(shapes, pixels, pixels)
@settings(deadline=None)
def test_the_shape_itself_stays_opaque_and_all_beyond_the_support_is_exactly_zero(
    mask: npt.NDArray[np.float32], grow: int, width: int
) -> None:
    result = feather(mask, grow, width)
    assert result.dtype == np.float32
    assert (result[mask == 1] == 1).all()
    assert (result[~support(mask, grow, width)] == 0).all()
    assert ((result >= 0) & (result <= 1)).all()


@given(shapes, pixels, pixels)
@settings(deadline=None)
def test_the_support_reaches_no_further_than_growth_and_feather(
    mask: npt.NDArray[np.float32], grow: int, width: int
) -> None:
    rows, columns = np.nonzero(mask)
    y, x = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    reach = support(mask, grow, width)
    if rows.size == 0:
        assert not reach.any()
        return
    square = ((y[..., None] - rows) ** 2 + (x[..., None] - columns) ** 2).min(axis=2)
    assert (square[reach] <= (grow + width) ** 2).all()


@given(shapes)
@settings(deadline=None)
def test_nothing_grown_and_nothing_feathered_is_the_mask_itself(
    mask: npt.NDArray[np.float32],
) -> None:
    assert np.array_equal(feather(mask, 0, 0), mask)


def test_across_the_contour_it_falls_without_a_step_back() -> None:
    profile = feather(disc(20), 2, 12)[50, 50:]
    assert (np.diff(profile) <= 0).all()
    assert (profile[:23] == 1).all()
    assert ((profile[23:34] > 0) & (profile[23:34] < 1)).all()
    assert (profile[34:] == 0).all()


def test_halfway_through_the_ramp_half_is_left() -> None:
    assert feather(disc(20), 2, 12)[50, 50 + 28] == pytest.approx(0.5)


def test_the_borders_of_the_image_are_not_feathered() -> None:
    mask = np.zeros((40, 40), dtype=np.float32)
    mask[:, :20] = 1
    result = feather(mask, 0, 8)
    assert (result[:, :20] == 1).all()
    assert (result[0] == result[20]).all()


def test_an_empty_mask_stays_empty_and_a_full_one_full() -> None:
    assert not feather(np.zeros((8, 8), dtype=np.float32), 3, 3).any()
    assert (feather(np.ones((8, 8), dtype=np.float32), 3, 3) == 1).all()


@pytest.mark.parametrize(
    ("grow", "width"), [(-1, 2), (2, -1), (float("nan"), 1), (1, float("inf"))]
)
def test_impossible_distances_are_refused(grow: float, width: float) -> None:
    with pytest.raises(ValueError, match="_px is 0 or more"):
        feather(disc(5), grow, width)


def test_a_mask_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="two dimensions"):
        feather(np.zeros((1, 8, 8), dtype=np.float32), 1, 1)
