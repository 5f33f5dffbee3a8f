import json
from pathlib import Path
from typing import Any

import pytest

from contract.job import SlotValue
from handler.errors import InvalidSlot, UnknownWorkflow, WorkflowInvalid
from handler.graph import Workflow, Workflows, load_workflow, load_workflows
from tests.handler.conftest import REPOSITORY
from tests.handler.tiny import tiny_graph, tiny_slots, write_workflow


def typed_workflow(folder: Path) -> Workflow:
    """A workflow with a slot of each type."""
    graph = tiny_graph()
    graph["typed"] = {
        "class_type": "Typed",
        "inputs": {"text": "", "integer": 1, "number": 1.5, "choice": "a", "seed": 0},
    }
    slots = tiny_slots()
    for kind in ("text", "integer", "number", "choice"):
        slots["slots"][kind] = {"node": "typed", "input": kind, "type": kind, "required": False}
    slots["slots"]["choice"] |= {"choices": ["a", "b"], "default": "b"}
    slots["slots"]["seed"] = {
        "node": "typed",
        "input": "seed",
        "type": "integer",
        "required": True,
    }
    return load_workflow(write_workflow(folder, graph, slots))


def changed(path: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Graph and slots with one thing changed, or removed if ``value`` is None."""
    both: dict[str, Any] = {"graph": tiny_graph(), "slots": tiny_slots()}
    *parents, last = path.split("/")
    place: Any = both
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return both["graph"], both["slots"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("slots/slots/photo/node", "nine", ["v1.slots.json", "'photo'", "nine"]),
        ("slots/slots/photo/input", "picture", ["'photo'", "load", "'picture'"]),
        ("slots/slots/photo/type", "sound", ["slots.photo.type"]),
        ("slots/slots/photo/default", "x.png", ["'photo'", "default"]),
        ("slots/slots/filename_prefix", None, ["'filename_prefix'", "missing"]),
        ("slots/slots/filename_prefix/input", "images", ["'filename_prefix'", "linked"]),
        ("slots/outputs/page", None, ["one output", "none"]),
        ("slots/outputs/page", {"node": "nine"}, ["output 'page'", "nine"]),
        ("slots/name", "other", ["other v1"]),
        ("slots/version", 2, ["tiny v2"]),
        ("slots/surprise", 1, ["surprise"]),
        ("graph/invert/inputs/image", ["gone", 0], ["invert", "gone"]),
        ("graph/invert/class_type", None, ["invert", "class_type"]),
    ],
)
def test_files_that_disagree_are_refused_by_name(
    tmp_path: Path, path: str, value: Any, words: list[str]
) -> None:
    with pytest.raises(WorkflowInvalid) as refusal:
        load_workflow(write_workflow(tmp_path, *changed(path, value)))
    assert all(word in str(refusal.value) for word in [str(tmp_path), *words])


def test_an_output_has_the_name_of_what_it_is(tmp_path: Path) -> None:
    outputs = {"page": {"node": "save", "type": "identity"}}
    with pytest.raises(WorkflowInvalid, match="called 'page', or 'identity'"):
        load_workflow(write_workflow(tmp_path, *changed("slots/outputs", outputs)))


def test_a_workflow_has_one_output_alone(tmp_path: Path) -> None:
    outputs = {"page": {"node": "save"}, "identity": {"node": "save", "type": "identity"}}
    with pytest.raises(WorkflowInvalid, match="one output"):
        load_workflow(write_workflow(tmp_path, *changed("slots/outputs", outputs)))


def identity_slots(*names: str) -> dict[str, Any]:
    slots = tiny_slots()
    for number, name in enumerate(names):
        slots["slots"][name] = {
            "node": f"identity{number}",
            "input": "file",
            "type": "identity",
            "required": True,
        }
    return slots


def identity_workflow(folder: Path, *names: str) -> Workflow:
    """The tiny workflow with nodes that take identities."""
    graph = tiny_graph()
    for number in range(len(names)):
        graph[f"identity{number}"] = {"class_type": "Load", "inputs": {"file": "x.safetensors"}}
    return load_workflow(write_workflow(folder, graph, identity_slots(*names)))


def test_an_identity_slot_is_known_and_takes_a_file(tmp_path: Path) -> None:
    workflow = identity_workflow(tmp_path, "child")
    assert workflow.identity_slot == "child"
    files = {"photo": "run/a.png", "child": "run/b.safetensors"}
    filled = workflow.fill({}, files, filename_prefix="x", seed=1)
    assert filled.prompt["identity0"]["inputs"]["file"] == "run/b.safetensors"
    with pytest.raises(InvalidSlot, match="belongs into the job's identity"):
        workflow.check({"child": "text"}, frozenset({"photo"}))


def test_two_identity_slots_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkflowInvalid, match="more than one identity slot"):
        identity_workflow(tmp_path, "child", "friend")


def valued_workflow(folder: Path, **changes: Any) -> Workflow:
    """A workflow whose choice stands for a number."""
    graph, slots = tiny_graph(), tiny_slots()
    graph["steps"] = {"class_type": "Steps", "inputs": {"steps": 25}}
    slots["slots"]["quality"] = {
        "node": "steps",
        "input": "steps",
        "type": "choice",
        "required": False,
        "default": "standard",
        "values": {"standard": 25, "fast": 14},
        **changes,
    }
    return load_workflow(write_workflow(folder, graph, slots))


@pytest.mark.parametrize(("told", "steps"), [({}, 25), ({"quality": "fast"}, 14)])
def test_a_choice_puts_the_value_that_it_stands_for(
    tmp_path: Path, told: dict[str, SlotValue], steps: int
) -> None:
    workflow = valued_workflow(tmp_path)
    filled = workflow.fill(told, {"photo": "a.png"}, filename_prefix="x", seed=1)
    assert filled.prompt["steps"]["inputs"]["steps"] == steps


@pytest.mark.parametrize("value", ["25", "slow", 25])
def test_a_value_that_is_no_choice_is_refused(tmp_path: Path, value: SlotValue) -> None:
    with pytest.raises(InvalidSlot, match="'quality'"):
        valued_workflow(tmp_path).check({"quality": value}, frozenset({"photo"}))


@pytest.mark.parametrize("changes", [{"choices": ["standard"]}, {"type": "integer", "default": 25}])
def test_values_go_with_a_choice_alone(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(WorkflowInvalid, match=r"quality.*values stand for a choice"):
        valued_workflow(tmp_path, **changes)


def test_the_browsers_format_is_recognised(tmp_path: Path) -> None:
    path = write_workflow(tmp_path, {"nodes": [], "links": [], "version": 0.4})
    with pytest.raises(WorkflowInvalid, match="browser's format"):
        load_workflow(path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"1": 3}'])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, text: str) -> None:
    path = write_workflow(tmp_path)
    path.write_text(text)
    with pytest.raises(WorkflowInvalid, match=r"v1\.json"):
        load_workflow(path)


def test_a_graph_without_slots_is_refused(tmp_path: Path) -> None:
    path = write_workflow(tmp_path)
    path.with_suffix(".slots.json").unlink()
    with pytest.raises(WorkflowInvalid, match="missing"):
        load_workflow(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkflowInvalid, match="no workflow"):
        load_workflows(tmp_path)


def test_workflows_are_found_by_name_and_version(workflows: Workflows) -> None:
    assert workflows.get("tiny", 1).spec.label == "test"
    with pytest.raises(UnknownWorkflow, match="tiny v2"):
        workflows.get("tiny", 2)


def test_the_released_workflows_load() -> None:
    assert load_workflows(REPOSITORY / "workflows").get("storybook_page_draft", 1)


def test_a_node_that_comfyui_lacks_is_named(workflows: Workflows) -> None:
    workflows.check_nodes(frozenset({"LoadImage", "ImageInvert", "SaveImage"}))
    with pytest.raises(WorkflowInvalid, match=r"tiny/v1\.json: node invert .*'ImageInvert'"):
        workflows.check_nodes(frozenset({"LoadImage", "SaveImage"}))


def test_filling_puts_values_defaults_prefix_and_seed_in_their_places(tmp_path: Path) -> None:
    workflow = typed_workflow(tmp_path)
    filled = workflow.fill(
        {"text": "hello", "integer": 3.0},
        {"photo": "run/abc.png"},
        filename_prefix="run/page_001",
        seed=7,
    )
    assert filled.prompt["typed"]["inputs"] == {
        "text": "hello",
        "integer": 3,
        "number": 1.5,
        "choice": "b",
        "seed": 7,
    }
    assert filled.prompt["load"]["inputs"]["image"] == "run/abc.png"
    assert filled.prompt["save"]["inputs"]["filename_prefix"] == "run/page_001"
    assert filled.output_node == "save"
    assert filled.titles["load"] == "Photo"


def test_filling_leaves_the_workflow_as_it_was(tmp_path: Path) -> None:
    workflow = typed_workflow(tmp_path)
    before = json.dumps(workflow.graph)
    workflow.fill({"text": "x"}, {"photo": "y.png"}, filename_prefix="z", seed=1)
    assert json.dumps(workflow.graph) == before


@pytest.mark.parametrize(
    ("values", "images", "words"),
    [
        ({}, [], "'photo'.*missing"),
        ({"hat": 1}, ["photo"], "no slot 'hat'"),
        ({"Robert'); DROP": 1}, ["photo"], "no slot of that name"),
        ({"seed": 1}, ["photo"], "'seed' is filled by the worker"),
        ({"filename_prefix": "../x"}, ["photo"], "'filename_prefix' is filled by the worker"),
        ({"photo": "../../etc/passwd"}, [], "'photo' belongs into the page's assets"),
        ({}, ["photo", "text"], "'text' belongs into the page's slots"),
        ({"text": 3}, ["photo"], "'text' takes a text"),
        ({"integer": 1.5}, ["photo"], "'integer' takes a whole number"),
        ({"integer": "1"}, ["photo"], "'integer' takes a finite integer"),
        ({"number": float("nan")}, ["photo"], "'number' takes a finite number"),
        ({"number": True}, ["photo"], "'number' takes a finite number"),
        ({"choice": "c"}, ["photo"], "'choice' takes one of a, b"),
    ],
)
def test_a_slot_that_does_not_fit_is_refused(
    tmp_path: Path, values: dict[str, SlotValue], images: list[str], words: str
) -> None:
    with pytest.raises(InvalidSlot, match=words):
        typed_workflow(tmp_path).check(values, frozenset(images))


def test_a_refused_value_is_not_echoed(tmp_path: Path) -> None:
    with pytest.raises(InvalidSlot) as refusal:
        typed_workflow(tmp_path).check({"choice": "Mathilda"}, frozenset({"photo"}))
    assert "Mathilda" not in str(refusal.value)
