from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handler.errors import WorkflowInvalid
from handler.workflows.__main__ import main
from handler.workflows.check import check_folder, graph_differences
from handler.workflows.fit import Models
from handler.workflows.model_list import read_model_list
from handler.workflows.schema import Schema
from tests.comfyui_checkout import COMFYUI
from tests.handler.conftest import REPOSITORY
from tests.handler.workflows.conftest import NAME, Draft


def put(path: str, value: Any) -> Any:
    """A change that sets what a path of keys leads to."""

    def change(content: Any) -> None:
        *parents, last = path.split("/")
        for parent in parents:
            content = content[parent]
        content[last] = value

    return change


def test_the_repositorys_workflows_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0, capsys.readouterr().out
    assert "0 problems" in capsys.readouterr().out


@pytest.mark.comfyui
def test_what_is_stored_and_released_fits_the_real_comfyui(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--comfyui-path", str(COMFYUI), "check", "--boot"]) == 0, capsys.readouterr().out


def test_an_input_that_a_node_class_got_later_is_no_difference(schema: Schema) -> None:
    described = schema["ImageCompositeMasked"].inputs
    optional = {"mask": replace(described["mask"], type="INT", options={"default": 3})}
    later = replace(schema["ImageCompositeMasked"], inputs={**described, **optional})
    run = {"1": {"class_type": later.name, "inputs": {}, "_meta": {"title": "Over"}}}
    for value, count in ((3, 0), (4, 1)):
        shown = {"1": {**run["1"], "inputs": {"mask": value}}}
        assert len(list(graph_differences(shown, run, {later.name: later}))) == count


def test_an_untouched_copy_has_no_problem(draft: Draft, schema: Schema, models: Models) -> None:
    assert check_folder(draft.folder, schema, models) == []


@pytest.mark.parametrize("steps", ["many", 0, 14.5])
def test_a_choice_must_not_stand_for_what_its_input_refuses(
    tmp_path: Path, schema: Schema, models: Models, steps: Any
) -> None:
    page = Draft(tmp_path, "storybook_page")
    page.edit("v1.slots.json", put("slots/quality/values/fast", steps))
    problems = [str(problem) for problem in check_folder(tmp_path, schema, models)]
    assert any("slot 'quality' allows a value that the input refuses" in p for p in problems)


@pytest.mark.parametrize(
    ("file", "path", "value", "words"),
    [
        ("v1.json", "5/class_type", "Nothing", "node 5 (Soft edge around the child, Nothing): "),
        ("v1.json", "5/inputs/grow_px", 2.5, "'grow_px': it takes INT, not 2.5"),
        ("v1.json", "5/inputs/grow_px", True, "'grow_px': it takes INT, not True"),
        ("v1.json", "5/inputs/grow_px", -1, "'grow_px': -1 is below its minimum, 0"),
        ("v1.json", "5/inputs/grow_px", 9999, "'grow_px': 9999 is above its maximum, 256"),
        ("v1.json", "4/inputs/channel", "pink", "'channel': 'pink' is not among its choices: al"),
        ("v1.json", "5/inputs/mask", ["1", 0], "'mask': it takes MASK, but node 1 gives IMAGE"),
        ("v1.json", "5/inputs/mask", ["4", 3], "'mask': it is linked to output 3 of node 4"),
        ("v1.json", "5/inputs/mask", "x", "'mask': it takes MASK and has to be linked"),
        ("v1.json", "5/inputs", {"mask": ["4", 0]}, "slot 'grow_px': node 5 has no input"),
        ("v1.json", "7/inputs/colour", 1, "'colour': ImageCompositeMasked has no such input"),
        ("v1.json", "6/inputs/face_model", "z.onnx", "face_detection/z.onnx is not in the model"),
        ("v1.json", "2/inputs/image", "other.png", "'background.png' in the browser, 'other.png'"),
        ("v1.slots.json", "slots/grow_px/type", "number", "slot 'grow_px' is of type number"),
        ("v1.slots.json", "slots/photo/input", "other", "slot 'photo': node 1 has no input"),
        ("v1.slots.json", "slots/feather_px/default", 999, "slot 'feather_px' allows a value"),
        ("v1.slots.json", "slots/skin_preset/choices", ["off", "blue"], "'blue' is not among"),
        ("v1.slots.json", "models", [], "is not among the slots file's models"),
        ("v1.ui.json", "nodes", [], "it is not in the browser's file, or muted there"),
        ("v1.ui.json", "links", [], "starts at a node that is not there"),
    ],
)
def test_what_is_wrong_is_said_with_file_node_and_input(
    draft: Draft, schema: Schema, models: Models, file: str, path: str, value: Any, words: str
) -> None:
    draft.edit(file, put(path, value))
    problems = [str(problem) for problem in check_folder(draft.folder, schema, models)]
    assert f"{NAME}/{file}: this released file has changed: release a new version" in problems
    assert any(words in problem and problem.startswith(NAME) for problem in problems), problems


def test_a_missing_input_is_named(draft: Draft, schema: Schema, models: Models) -> None:
    draft.edit("v1.json", lambda graph: graph["7"]["inputs"].pop("source"))
    expected = "node 7 (Child over background, ImageCompositeMasked), input 'source': this required"
    assert any(expected in str(p) for p in check_folder(draft.folder, schema, models))


def test_missing_and_unreleased_files_are_named(
    draft: Draft, schema: Schema, models: Models
) -> None:
    ui = draft.folder / NAME / "v1.ui.json"
    ui.rename(ui.with_name("notes.json"))
    problems = [str(problem) for problem in check_folder(draft.folder, schema, models)]
    assert f"{NAME}/v1.ui.json: this released file is gone" in problems
    assert f"{NAME}/notes.json: this file is not in RELEASED" in problems


def test_the_command_fails_when_there_is_a_problem(
    draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = REPOSITORY / "workflows" / "object_info.json"
    (draft.folder / "object_info.json").write_bytes(stored.read_bytes())
    told = ["--workflows", str(draft.folder), "check"]
    assert main(told) == 0
    draft.edit("v1.json", put("5/inputs/grow_px", -1))
    assert main(told) == 1
    assert "input 'grow_px'" in capsys.readouterr().out
    (draft.folder / "object_info.json").unlink()
    assert main(told) == 2


@pytest.mark.parametrize("line", ["vae/a.pt", "vae/a.pt  12  MIT  me", "vae/a.pt  -  MIT"])
def test_a_malformed_line_of_the_model_list_is_numbered(tmp_path: Path, line: str) -> None:
    path = tmp_path / "models.txt"
    path.write_text(f"# models\n{line}\n")
    with pytest.raises(WorkflowInvalid, match="line 2"):
        read_model_list(path)
