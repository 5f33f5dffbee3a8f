import shutil
from pathlib import Path
from typing import Any

import pytest

from handler.errors import WorkflowInvalid
from handler.graph import load_workflow
from handler.workflows.check import check_folder
from handler.workflows.diff import differences
from handler.workflows.fit import Models
from handler.workflows.release import Edited, ReleaseRefused, release
from handler.workflows.schema import Schema
from tests.handler.workflows.conftest import NAME, Draft


def grow(ui: Any) -> None:
    """The artist grows the mask more, and tries it on a picture of their own."""
    for node in ui["nodes"]:
        if node["id"] == 5:
            node["widgets_values"] = [3, 12]
        if node["id"] == 1:
            node["widgets_values"][0] = "a child that we know.png"


@pytest.fixture
def edited(draft: Draft, tmp_path: Path) -> Edited:
    return Edited(draft.write_edited(tmp_path / "edited.json", "v1.ui.json", grow))


def test_an_edited_file_becomes_the_next_version(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    before = draft.state()
    made = release(draft.folder, NAME, edited, schema, models)
    assert (made.spec.version, made.graph["5"]["inputs"]["grow_px"]) == (2, 3)
    assert made.spec.slots["grow_px"].default == 3
    assert check_folder(draft.folder, schema, models) == []
    after = draft.state()
    assert {name: after[name] for name in before if name != "RELEASED"} == {
        name: data for name, data in before.items() if name != "RELEASED"
    }
    assert after["RELEASED"].startswith(before["RELEASED"].splitlines()[0])
    new = {f"{NAME}/v2.json", f"{NAME}/v2.slots.json", f"{NAME}/v2.ui.json"}
    assert set(after) - set(before) == new


def test_the_artists_own_picture_is_not_released(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    release(draft.folder, NAME, edited, schema, models)
    assert not any(b"a child that we know" in data for data in draft.state().values())


def test_what_changed_is_said_in_words(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    old = load_workflow(draft.folder / NAME / "v1.json")
    sentences = differences(old, release(draft.folder, NAME, edited, schema, models))
    feather = "'Soft edge around the child' (node 5, FoxetalesContourFeather)"
    assert f"{feather}: grow_px changed from 2 to 3" in sentences
    assert "slot 'grow_px': default changed from 2 to 3" in sentences
    assert not [s for s in sentences if "photo" in s]
    assert differences(old, old) == []


def with_steps(draft: Draft, target: Path, steps: int) -> Edited:
    """The artist changes the sampler's steps."""

    def change(ui: Any) -> None:
        sampler = next(node for node in ui["nodes"] if node["type"] == "KSampler")
        sampler["widgets_values"][2] = steps

    return Edited(draft.write_edited(target, "v1.ui.json", change))


@pytest.fixture
def page(tmp_path: Path) -> Draft:
    folder = tmp_path / "production"
    folder.mkdir()
    return Draft(folder, "storybook_page")


def test_the_default_of_a_choice_is_the_one_that_stands_for_the_fields_value(
    page: Draft, schema: Schema, models: Models, tmp_path: Path
) -> None:
    edited = with_steps(page, tmp_path / "edited.json", 14)
    made = release(page.folder, page.name, edited, schema, models)
    assert made.spec.slots["quality"].default == "fast"


def test_a_field_that_no_choice_stands_for_is_not_released(
    page: Draft, schema: Schema, models: Models, tmp_path: Path
) -> None:
    before = page.state()
    with pytest.raises(ReleaseRefused, match=r"'quality': none of its values is 30"):
        release(page.folder, page.name, with_steps(page, tmp_path / "e.json", 30), schema, models)
    assert page.state() == before


def test_the_export_has_to_be_the_same_graph(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    api = draft.write_edited(edited.ui.with_name("api.json"), "v1.json", lambda _graph: None)
    with pytest.raises(ReleaseRefused, match="not the same graph: node 5, input 'grow_px'"):
        release(draft.folder, NAME, Edited(edited.ui, api), schema, models)


def test_exports_that_were_mixed_up_are_named(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    api = draft.write_edited(edited.ui.with_name("api.json"), "v1.json", lambda _graph: None)
    with pytest.raises(ReleaseRefused, match=r"^api\.json is in API format: --from takes"):
        release(draft.folder, NAME, Edited(api, edited.ui), schema, models)
    with pytest.raises(ReleaseRefused, match=r"^edited\.json isn't in API format"):
        release(draft.folder, NAME, Edited(edited.ui, edited.ui), schema, models)


def test_slots_that_no_longer_resolve_are_named_and_nothing_is_written(
    draft: Draft, schema: Schema, models: Models, tmp_path: Path
) -> None:
    def remove_the_skin_shift(ui: Any) -> None:
        ui["nodes"] = [node for node in ui["nodes"] if node["id"] != 8]
        ui["links"] = [link for link in ui["links"] if 8 not in (link[1], link[3])]
        ui["links"].append([20, 7, 0, 9, 0, "IMAGE"])
        ui["nodes"][-1]["inputs"][0]["link"] = 20

    before = draft.state()
    ui = draft.write_edited(tmp_path / "edited.json", "v1.ui.json", remove_the_skin_shift)
    with pytest.raises(ReleaseRefused) as refusal:
        release(draft.folder, NAME, Edited(ui), schema, models)
    assert refusal.value.reasons == [
        "slot 'skin_preset': node 8 is not in the edited graph",
        "slot 'skin_strength': node 8 is not in the edited graph",
    ]
    assert draft.state() == before
    slots = draft.write_edited(tmp_path / "slots.json", "v1.slots.json", without_skin)
    made = release(draft.folder, NAME, Edited(ui, slots=slots), schema, models)
    assert made.spec.version == 2
    old = load_workflow(draft.folder / NAME / "v1.json")
    sentences = differences(old, made)
    assert "removed: 'Skin tone (off by default)' (node 8, FoxetalesSkinShift)" in sentences
    assert "slot 'skin_preset' is gone" in sentences
    assert any("images rewired from output 0 of 'Skin tone" in s for s in sentences)


def without_skin(slots: Any) -> None:
    slots["slots"] = {n: s for n, s in slots["slots"].items() if s["node"] != "8"}


def test_what_the_check_refuses_is_not_released(
    draft: Draft, schema: Schema, models: Models, tmp_path: Path
) -> None:
    def spoil(ui: Any) -> None:
        ui["nodes"][4]["widgets_values"] = [-5, 12]

    before = draft.state()
    ui = draft.write_edited(tmp_path / "edited.json", "v1.ui.json", spoil)
    with pytest.raises(ReleaseRefused, match="-5 is below its minimum"):
        release(draft.folder, NAME, Edited(ui), schema, models)
    assert draft.state() == before


def test_a_failing_disk_leaves_no_trace(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    before = draft.state()
    (draft.folder / NAME / "v2.ui.json").mkdir()  # in the way of the second file
    with pytest.raises(OSError):  # noqa: PT011  # which error it is, is the system's choice
        release(draft.folder, NAME, edited, schema, models)
    (draft.folder / NAME / "v2.ui.json").rmdir()
    assert draft.state() == before


def test_a_release_over_changed_files_or_without_a_change_is_refused(
    draft: Draft, schema: Schema, models: Models, edited: Edited
) -> None:
    release(draft.folder, NAME, edited, schema, models)
    with pytest.raises(ReleaseRefused, match="nothing changed since storybook_page_draft v2"):
        release(draft.folder, NAME, edited, schema, models)
    draft.edit("v1.json", lambda graph: graph["5"]["inputs"].update(grow_px=4))
    with pytest.raises(ReleaseRefused, match=r"v1\.json: this released file has changed"):
        release(draft.folder, NAME, edited, schema, models)


def test_a_first_version_needs_slots(
    draft: Draft, schema: Schema, models: Models, tmp_path: Path
) -> None:
    ui, slots = (draft.folder / NAME / f"v1.{kind}.json" for kind in ("ui", "slots"))
    with pytest.raises(
        ReleaseRefused, match=r"no workflow other, only storybook_page_draft; .* its slots file"
    ):
        release(draft.folder, "other", Edited(ui), schema, models)
    kept = shutil.copy(slots, tmp_path / "slots.json")
    made = release(draft.folder, "other", Edited(ui, slots=Path(kept)), schema, models)
    assert (made.spec.name, made.spec.version) == ("other", 1)
    with pytest.raises(WorkflowInvalid, match=r"gone\.json: there is no such file"):
        release(draft.folder, "other", Edited(ui.with_name("gone.json")), schema, models)
