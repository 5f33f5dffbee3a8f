"""The files of each released workflow fit each other."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from handler.graph import Workflow, load_workflow
from handler.workflows.check import graph_differences, graph_files
from handler.workflows.schema import load as load_schema
from handler.workflows.ui_graph import api_graph

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
RELEASED = graph_files(WORKFLOWS)
TYPES: dict[str, list[type]] = {
    "image": [str],
    "identity": [str],
    "text": [str],
    "choice": [str],
    "integer": [int],
    "number": [float, int],  # the browser writes 512.0 as 512
}

every_workflow = pytest.mark.parametrize(
    "workflow", [load_workflow(path) for path in RELEASED], ids=lambda w: w.label
)


def browser_file(workflow: Workflow) -> Any:
    return json.loads(workflow.source.with_suffix(".ui.json").read_text())


@every_workflow
def test_the_browser_shows_the_very_graph_that_is_run(workflow: Workflow) -> None:
    schema = load_schema(WORKFLOWS / "object_info.json")
    shown = api_graph(browser_file(workflow), schema)
    assert list(graph_differences(shown, workflow.graph, schema)) == []


@every_workflow
def test_links_in_the_browser_start_and_end_where_the_nodes_say(workflow: Workflow) -> None:
    ui = browser_file(workflow)
    nodes = {node["id"]: node for node in ui["nodes"]}
    for link, source, output, target, place, kind in ui["links"]:
        out, into = nodes[source]["outputs"][output], nodes[target]["inputs"][place]
        assert link in out["links"]
        assert into["link"] == link
        assert out["type"] == into["type"] == kind
    assert ui["last_node_id"] >= max(nodes)  # what is deleted leaves its number behind
    assert ui["last_link_id"] >= max(link[0] for link in ui["links"])


@every_workflow
def test_no_two_nodes_overlap_in_the_browser(workflow: Workflow) -> None:
    boxes = [(*node["pos"], *node["size"]) for node in browser_file(workflow)["nodes"]]
    for i, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[i + 1 :]:
            apart_x = x + width <= left or left + wide <= x
            apart_y = y + height <= top or top + high <= y
            assert apart_x or apart_y


@every_workflow
def test_every_slot_names_a_field_of_the_graph_and_its_default(workflow: Workflow) -> None:
    for slot in workflow.spec.slots.values():
        value = workflow.graph[slot.node]["inputs"][slot.input]
        default = value if slot.default is None else slot.in_node(slot.default)
        assert default == value
        assert slot.required == (slot.default is None)
        assert slot.values or type(value) in TYPES[slot.type]
        assert slot.description


@every_workflow
def test_the_result_comes_from_the_node_that_saves_it(workflow: Workflow) -> None:
    saver = {"image": "SaveImage", "identity": "FoxetalesIdentitySave"}[workflow.makes]
    assert workflow.node_classes[workflow.output.node] == saver


@every_workflow
def test_every_node_has_a_title_of_its_own(workflow: Workflow) -> None:
    titles = [node["_meta"]["title"] for node in workflow.graph.values()]
    assert len(set(titles)) == len(titles)
    assert not set(titles) & set(workflow.node_classes.values())


@pytest.mark.parametrize("line", (WORKFLOWS / "RELEASED").read_text().splitlines())
def test_a_released_file_has_not_changed(line: str) -> None:
    digest, name = line.split("  ")
    assert hashlib.sha256((WORKFLOWS / name).read_bytes()).hexdigest() == digest


def test_every_workflow_file_is_released() -> None:
    released = {line.split("  ")[1] for line in (WORKFLOWS / "RELEASED").read_text().splitlines()}
    assert released == {str(path.relative_to(WORKFLOWS)) for path in WORKFLOWS.glob("*/*.json")}
