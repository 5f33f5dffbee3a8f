"""Skin in a preset's tone, and not one other pixel."""

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from comfy_nodes.skin_shift.face import Face
from comfy_nodes.skin_shift.kernel import shift, skin_amount
from comfy_nodes.skin_shift.presets import OFF, Preset, names, preset_named
from tests.comfy_nodes.pictures import astronaut, floats, template

Image = npt.NDArray[np.float32]

SKIN = (0.88, 0.67, 0.55)
CREAM = (0.96, 0.88, 0.74)
COLOURS_OF_OTHER_THINGS = {
    "tooth": (0.95, 0.93, 0.90),
    "white of the eye": (0.90, 0.92, 0.94),
    "iris": (0.25, 0.45, 0.70),
    "pupil": (0.03, 0.02, 0.02),
    "meadow": (0.35, 0.60, 0.25),
    "night": (0.10, 0.12, 0.35),
    "orange hood": (0.83, 0.40, 0.15),
}
DARK = [name for name in names() if name != OFF]
images = arrays(np.float32, (12, 14, 3), elements=st.floats(0, 1, width=32))
masks = arrays(np.float32, (12, 14), elements=st.sampled_from([0.0, 0.5, 1.0]))
LUMA = floats([0.299, 0.587, 0.114])


def plain(colour: tuple[float, float, float]) -> Image:
    return np.full((20, 20, 3), colour, dtype=np.float32)


def everywhere(image: Image) -> npt.NDArray[np.float32]:
    return np.ones(image.shape[:2], dtype=np.float32)


def hooded() -> tuple[Image, npt.NDArray[np.float32], Face]:
    """A face with eyes and teeth in a hood with a cream trim, 512², and its person mask."""
    image = np.full((512, 512, 3), (0.25, 0.32, 0.55), dtype=np.float32)
    person = np.zeros((512, 512), dtype=np.float32)
    for canvas, colour in ((image, (0.83, 0.40, 0.15)), (person, 1.0)):
        cv2.circle(canvas, (256, 240), 170, colour, -1)
    cv2.ellipse(image, (256, 240), (112, 136), 0, 0, 360, CREAM, -1)
    cv2.ellipse(image, (256, 240), (84, 108), 0, 0, 360, (0.35, 0.20, 0.12), -1)
    cv2.ellipse(image, (256, 240), (80, 104), 0, 0, 360, SKIN, -1)
    shade = np.linspace(1.08, 0.85, 512, dtype=np.float32)[None, :, None]
    image *= shade
    for x in (222, 290):
        cv2.ellipse(image, (x, 215), (16, 8), 0, 0, 360, (0.93, 0.93, 0.92), -1)
        cv2.ellipse(image, (x, 215), (16, 8), 0, 0, 360, (0.10, 0.06, 0.05), 2)
        cv2.circle(image, (x, 215), 6, (0.12, 0.08, 0.06), -1)
    cv2.ellipse(image, (256, 292), (32, 14), 0, 0, 360, (0.30, 0.10, 0.10), -1)
    cv2.ellipse(image, (256, 290), (26, 7), 0, 0, 360, (0.96, 0.95, 0.92), -1)
    return np.clip(image, 0, 1), person, Face(256, 240, 160, 208)


def mean_within(values: Image, inside: npt.NDArray[np.generic]) -> Image:
    """Gaussian mean over the pixels inside alone."""
    weight = inside.astype(np.float32)
    total, share = (cv2.GaussianBlur(part, (0, 0), 6) for part in (values * weight, weight))
    return np.asarray(total / np.maximum(share, 1e-6), dtype=np.float32) + np.float32(1e-6)


@given(images, masks, st.sampled_from(DARK), st.floats(0, 1))
@settings(deadline=None, max_examples=50)
def test_pixels_off_the_person_or_not_of_skin_keep_their_bits(
    image: Image, person: npt.NDArray[np.float32], preset: str, strength: float
) -> None:
    result = shift(image, person, preset, strength)
    untouched = (person == 0) | (skin_amount(image, person, preset) == 0)
    assert np.array_equal(result[untouched], image[untouched])
    assert ((result >= 0) & (result <= image)).all()


@given(images, masks)
@settings(deadline=None)
def test_off_changes_nothing(image: Image, person: npt.NDArray[np.float32]) -> None:
    assert np.array_equal(shift(image, person, OFF, 1.0), image)


@pytest.mark.parametrize("preset", DARK)
def test_full_strength_multiplies_skin_by_the_preset(preset: str) -> None:
    image, person, face = hooded()
    ratio = shift(image, person, preset, 1.0, face) / image
    assert np.allclose(ratio[250:265, 240:270], preset_named(preset).multipliers, atol=0.02)


@pytest.mark.parametrize("thing", COLOURS_OF_OTHER_THINGS)
def test_what_has_not_the_colour_of_skin_is_left_alone(thing: str) -> None:
    image = plain(COLOURS_OF_OTHER_THINGS[thing])
    assert np.array_equal(shift(image, everywhere(image), "deep", 1.0), image)


@pytest.mark.parametrize("given_ellipse", [True, False])
def test_eyes_teeth_trim_and_hood_keep_their_pixels(given_ellipse: bool) -> None:
    image, person, face = hooded()
    result = shift(image, person, "deep", 1.0, face if given_ellipse else None)
    changed = np.abs(result - image).max(axis=2)
    for x in (222, 290):
        assert changed[211:220, x - 12 : x + 13].max() < 0.02
    assert changed[286:295, 236:277].max() < 0.02
    y, x = np.mgrid[:512, :512]
    from_middle = np.hypot((x - 256) / 80, (y - 240) / 104)
    assert (changed[from_middle > 1.12] == 0).all()
    assert changed[205:225, 245:268].min() > 0.3
    assert changed[211:219, 184:198].min() > 0.3
    cheek = changed[250:270, 200:300]
    assert cheek.min() > 0.3


@pytest.mark.parametrize("preset", DARK)
def test_shading_survives_on_a_real_portrait(preset: str) -> None:
    image = np.asarray(astronaut() / np.float32(255), dtype=np.float32)
    person, face = everywhere(image), Face(226, 118, 120, 160)
    before, after = image @ LUMA, shift(image, person, preset, 1.0, face) @ LUMA
    amount = skin_amount(image, person, preset, face)
    inside = amount > 0.95
    assert inside.sum() > 5000
    assert inside.sum() > 0.9 * (amount > 0.5).sum()
    local = [luma / mean_within(luma, inside) for luma in (before, after)]
    correlation = np.corrcoef(local[0][inside], local[1][inside])[0, 1]
    assert correlation >= 0.99


@pytest.mark.parametrize("part", [0.6, 1.0, 1.4])
def test_an_ellipse_says_where_the_face_is_and_not_where_it_ends(part: float) -> None:
    image, person, face = hooded()
    given_face = Face(face.x, face.y, face.width * part, face.height * part)
    given_amount = skin_amount(image, person, "deep", given_face) > 0.5
    found_amount = skin_amount(image, person, "deep") > 0.5
    assert (given_amount & found_amount).sum() > 0.95 * (given_amount | found_amount).sum()


def test_no_light_ring_is_left_between_skin_and_dark_hair() -> None:
    image, person, _ = hooded()
    y, x = np.mgrid[:512, :512]
    fringe = (y < 190 + 12 * np.cos(x / 6)) & (np.hypot((x - 256) / 82, (y - 240) / 106) < 1)
    image[fringe] = (0.25, 0.15, 0.10)
    image = floats(cv2.GaussianBlur(image, (0, 0), 1.2))
    result = shift(image, person, "deep", 1.0) @ LUMA
    skin = float(np.median(result[245:270, 230:285]))
    border = cv2.morphologyEx(fringe.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((9, 9)))
    inner = (border > 0) & (np.hypot((x - 256) / 82, (y - 240) / 106) < 0.85)
    assert inner.sum() > 1500
    assert (result[inner] > 1.25 * skin).mean() < 0.01


def test_pale_skin_without_lips_around_it_is_no_tooth() -> None:
    image, person, face = hooded()
    cv2.ellipse(image, (210, 265), (14, 6), 0, 0, 360, (0.96, 0.90, 0.86), -1)
    changed = np.abs(shift(image, person, "deep", 1.0, face) - image).max(axis=2)
    assert changed[262:269, 202:219].min() > 0.3


def test_a_wall_in_a_colour_near_skin_stays_though_the_mask_holds_it() -> None:
    image, person, _ = hooded()
    image[person == 0] = (0.80, 0.68, 0.52)
    changed = np.abs(shift(image, everywhere(image), "deep", 1.0) - image).max(axis=2)
    assert changed[person == 0].max() == 0
    assert changed[250:270, 200:300].min() > 0.3


def test_a_hand_of_the_face_s_tone_is_found_and_a_cream_cuff_is_not() -> None:
    image, person, face = hooded()
    for x, colour in ((150, SKIN), (350, CREAM)):
        cv2.circle(image, (x, 450), 35, colour, -1)
        cv2.circle(person, (x, 450), 35, 1.0, -1)
    changed = np.abs(shift(image, person, "deep", 1.0, face) - image).max(axis=2)
    assert changed[440:460, 140:160].min() > 0.3
    assert changed[410:, 310:390].max() == 0


def test_strength_is_continuous() -> None:
    image, person, face = hooded()
    steps = [shift(image, person, "deep", float(s), face) for s in np.linspace(0, 1, 11)]
    assert np.array_equal(steps[0], image)
    for weaker, stronger in pairwise(steps):
        assert (stronger <= weaker + 1e-6).all()
        assert np.abs(stronger - weaker).max() < 0.09


def test_skin_that_is_already_as_dark_as_the_target_stays() -> None:
    image = plain(tuple(np.multiply(preset_named("deep").target, 0.98)))
    assert np.array_equal(shift(image, everywhere(image), "deep", 1.0), image)


def test_a_person_without_skin_is_left_alone() -> None:
    page = template()
    nobody = np.zeros(page.person.shape, dtype=np.float32)
    assert np.array_equal(shift(page.character, nobody, "deep", 1.0), page.character)


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


@pytest.mark.parametrize("width", [-1.0, 0.0, float("nan")])
def test_a_face_without_an_extent_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match="a face has a centre"):
        Face(10, 10, width, 20)


def test_a_preset_that_brightens_is_refused() -> None:
    with pytest.raises(ValueError, match="multipliers lie in"):
        Preset("glow", (1.2, 1, 1), (0, 0, 0), 1.0, 2.0, 0.0)
