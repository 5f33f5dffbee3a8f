"""Skin in a preset's tone, and not one other pixel."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from comfy_nodes.skin_shift.kernel import shift, skin_membership
from comfy_nodes.skin_shift.presets import OFF, PRESETS
from tests.comfy_nodes.pictures import floats

Image = npt.NDArray[np.float32]

SKIN = (0.88, 0.67, 0.55)
COLOURS_OF_OTHER_THINGS = {
    "tooth": (0.95, 0.93, 0.90),
    "white of the eye": (0.90, 0.92, 0.94),
    "iris": (0.25, 0.45, 0.70),
    "pupil": (0.03, 0.02, 0.02),
    "meadow": (0.35, 0.60, 0.25),
    "night": (0.10, 0.12, 0.35),
}
images = arrays(np.float32, (12, 14, 3), elements=st.floats(0, 1, width=32))
masks = arrays(np.float32, (12, 14), elements=st.sampled_from([0.0, 0.5, 1.0]))
dark = st.sampled_from([name for name in PRESETS if name != OFF])


def plain(colour: tuple[float, float, float]) -> Image:
    return np.full((20, 20, 3), colour, dtype=np.float32)


def everywhere(image: Image) -> npt.NDArray[np.float32]:
    return np.ones(image.shape[:2], dtype=np.float32)


@given(images, masks, dark, st.floats(0, 1))
@settings(deadline=None)
def test_pixels_off_the_person_or_not_of_skin_keep_their_bits(
    image: Image, person: npt.NDArray[np.float32], preset: str, strength: float
) -> None:
    result = shift(image, person, preset, strength)
    untouched = (person == 0) | (skin_membership(image) == 0)
    assert np.array_equal(result[untouched], image[untouched])
    assert ((result >= 0) & (result <= image)).all()


@given(images, masks)
@settings(deadline=None)
def test_off_changes_nothing(image: Image, person: npt.NDArray[np.float32]) -> None:
    assert np.array_equal(shift(image, person, OFF, 1.0), image)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != OFF])
def test_full_strength_multiplies_skin_by_the_preset(preset: str) -> None:
    image = plain(SKIN)
    result = shift(image, everywhere(image), preset, 1.0)
    assert np.allclose(result, image * floats(PRESETS[preset]), atol=0.01)


@pytest.mark.parametrize("thing", COLOURS_OF_OTHER_THINGS)
def test_what_has_not_the_colour_of_skin_is_left_alone(thing: str) -> None:
    image = plain(COLOURS_OF_OTHER_THINGS[thing])
    assert np.array_equal(shift(image, everywhere(image), "deep", 1.0), image)


def test_shading_survives() -> None:
    light = np.linspace(0.7, 1.1, 40, dtype=np.float32)[None, :, None]
    image = floats(SKIN) * np.repeat(light, 20, axis=0)
    result = shift(image, everywhere(image), "brown", 1.0)
    ratio = result / image
    assert np.ptp(ratio[..., 0]) < 0.02


def test_an_unknown_preset_is_named_in_the_error() -> None:
    image = plain(SKIN)
    with pytest.raises(ValueError, match="'purple' is not one of off, "):
        shift(image, everywhere(image), "purple", 1.0)


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    image = plain(SKIN)
    with pytest.raises(ValueError, match="strength lies in"):
        shift(image, everywhere(image), "brown", strength)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        shift(plain(SKIN), np.ones((3, 3), dtype=np.float32), "brown", 1.0)
