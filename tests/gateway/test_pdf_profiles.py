"""Print profiles: ours are whole, broken ones are refused by name."""

import json
from pathlib import Path

import pytest

from gateway.print_profiles import (
    OWN_PROFILES,
    Jpeg,
    PageCountOutOfRange,
    ProfileError,
    load_profiles,
    print_pixels,
)
from tests.gateway.pdf_book import profile


def test_our_own_profiles_have_both_sizes_and_both_covers() -> None:
    profiles = load_profiles().values()
    assert {(one.trim_width_in, one.trim_height_in) for one in profiles} == {(10, 10), (8.5, 8.5)}
    assert {one.cover.mode for one in profiles} == {"spread", "wrap"}
    assert {one.vendor for one in profiles} == {"file_drop", "lulu"}


def test_lulus_profile_is_as_lulu_says() -> None:
    lulu = profile("lulu_8_5")
    assert (lulu.bleed_in, lulu.safety_in) == (0.125, 0.5)
    assert lulu.cover.spine.kind == "vendor"
    assert isinstance(lulu.image_encoding, Jpeg)


def test_a_picture_for_print_fills_trim_and_bleed_at_full_resolution() -> None:
    assert print_pixels(profile("square_10")) == (3075, 3075)
    assert print_pixels(profile("square_8_5")) == (2625, 2625)
    odd = profile(bleed_in=0.1181, trim_height_in=8.0)
    assert print_pixels(odd) == (3071, 2471)  # 3070.86 and 2470.86, rounded up


@pytest.mark.parametrize(
    ("multiple", "story", "pages"),
    [(1, 35, 37), (2, 35, 38), (4, 35, 40), (4, 34, 36), (2, 22, 24)],
)
def test_pages_go_up_to_the_next_multiple(multiple: int, story: int, pages: int) -> None:
    assert profile(page_multiple=multiple).pages_for(story) == pages


@pytest.mark.parametrize("story", [21, 199])
def test_too_few_and_too_many_pages_are_refused(story: int) -> None:
    with pytest.raises(PageCountOutOfRange):
        profile().pages_for(story)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bleed_in": "much"}, "0.bleed_in"),
        ({"min_pages": 500}, "min_pages is larger"),
        ({"safety_in": 1.99, "trim_width_in": 3}, "no room for text"),
        ({"image_encoding": {"kind": "jpeg", "quality": 91}}, "image_encoding.jpeg.quality"),
        ({"story_text": {"largest_pt": 8, "smallest_pt": 9}}, "smallest_pt is larger"),
        ({"colour": "cmyk"}, "0.colour"),
    ],
)
def test_a_broken_profile_is_refused_by_its_field(
    change: dict[str, object], named: str, tmp_path: Path
) -> None:
    rows = json.loads(OWN_PROFILES.read_text(encoding="utf-8"))
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps([rows[0] | change]), encoding="utf-8")
    with pytest.raises(ProfileError, match=named):
        load_profiles(path)


def test_an_id_is_there_once(tmp_path: Path) -> None:
    rows = json.loads(OWN_PROFILES.read_text(encoding="utf-8"))
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps([rows[0], rows[0]]), encoding="utf-8")
    with pytest.raises(ProfileError, match="twice"):
        load_profiles(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"none\.json"):
        load_profiles(tmp_path / "none.json")
