"""Appearances are data: what the rows are, and what each mistake is called."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from books.appearances import OWN_APPEARANCES, Appearance, SkinPreset, load_appearances
from books.library import BookError
from comfy_nodes.skin_shift.presets import names

Rows = list[dict[str, Any]]


def changed(folder: Path, change: Callable[[Rows], None]) -> Path:
    rows = json.loads(OWN_APPEARANCES.read_text(encoding="utf-8"))
    change(rows)
    path = folder / "appearances.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def appearances() -> dict[str, Appearance]:
    return load_appearances(OWN_APPEARANCES)


def test_a_child_of_hanoi_is_described(appearances: dict[str, Appearance]) -> None:
    row = appearances["vietnamese_asian"]
    assert (row.prompt, row.skin_preset) == ("Vietnamese Asian", "off")
    assert row.skin_anchor == "warm light-tan skin, natural skin tone"


def test_only_dark_skin_has_a_preset(appearances: dict[str, Appearance]) -> None:
    shifted = {row.id for row in appearances.values() if row.skin_preset != "off"}
    assert shifted == {"black_light_brown", "black_brown", "black_dark_brown", "black_deep"}


def test_every_preset_is_somebodys_and_one_of_the_skin_shift(
    appearances: dict[str, Appearance],
) -> None:
    assert {row.skin_preset for row in appearances.values()} == set(get_args(SkinPreset))
    assert set(get_args(SkinPreset)) == set(names())


def test_an_appearance_is_added_by_adding_a_row(tmp_path: Path) -> None:
    row = {
        "id": "pacific_islander",
        "label": "Pacific Islander",
        "prompt": "Pacific Islander",
        "skin_anchor": "warm brown skin, natural skin tone",
        "skin_preset": "off",
    }
    path = changed(tmp_path, lambda rows: rows.append(row))
    assert list(load_appearances(path))[-1] == "pacific_islander"


@pytest.mark.parametrize(
    ("number", "change", "field", "reason"),
    [
        (0, {"prompt": "a {red|blue} child"}, "0.prompt", "'{'"),
        (0, {"prompt": "Asian // European"}, "0.prompt", "'//'"),
        (1, {"skin_anchor": "warm /* tan */ skin"}, "1.skin_anchor", "'/*'"),
        (1, {"skin_anchor": " "}, "1.skin_anchor", "at least 1 character"),
        (2, {"skin_preset": "purple"}, "2.skin_preset", "'light_brown'"),
        (2, {"id": "South Asian"}, "2.id", "pattern"),
        (2, {"id": "east_asian"}, "2.id", "east_asian is already the id of another row"),
        (2, {"label": "East Asian"}, "2.label", "'East Asian' is already another row's"),
        (3, {"colour": "blue"}, "3.colour", "not permitted"),
    ],
)
def test_a_mistake_is_reported_with_its_row_and_field(
    tmp_path: Path, number: int, change: dict[str, str], field: str, reason: str
) -> None:
    path = changed(tmp_path, lambda rows: rows[number].update(change))
    with pytest.raises(BookError) as caught:
        load_appearances(path)
    assert (caught.value.path, caught.value.field) == (path, field)
    assert reason in caught.value.reason


def test_a_missing_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="file"):
        load_appearances(tmp_path / "nowhere.json")
    path = changed(tmp_path, lambda rows: rows.clear())
    with pytest.raises(BookError, match=r"appearances: .*at least 1 item"):
        load_appearances(path)
