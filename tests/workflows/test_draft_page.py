"""The released files of the draft page fit each other."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from handler.workflows.check import graph_differences
from handler.workflows.schema import load as load_schema
from handler.workflows.ui_graph import api_graph

WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
FOLDER = WORKFLOWS / "storybook_page_draft"
OUR_SLOTS = {
    "photo", "background", "character", "person_mask", "face_x", "face_y", "face_width",
    "face_height", "face_angle", "watercolour", "grow_px", "feather_px", "skin_preset",
    "skin_strength", "filename_prefix",
}  # fmt: skip
TYPES = {
    "image": str,
    "text": str,
    "choice": str,
    "integer": int,
    "number": float,
}


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def test_the_browser_shows_the_very_graph_that_is_run() -> None:
    schema = load_schema(WORKFLOWS / "object_info.json")
    shown = api_graph(load("v1.ui.json"), schema)
    assert list(graph_differences(shown, load("v1.json"), schema)) == []


def test_links_in_the_browser_start_and_end_where_the_nodes_say() -> None:
    ui = load("v1.ui.json")
    nodes = {node["id"]: node for node in ui["nodes"]}
    for link, source, output, target, place, kind in ui["links"]:
        out, into = nodes[source]["outputs"][output], nodes[target]["inputs"][place]
        assert link in out["links"]
        assert into["link"] == link
        assert out["type"] == into["type"] == kind
    assert ui["last_node_id"] == max(nodes)
    assert ui["last_link_id"] == max(link[0] for link in ui["links"])


def test_no_two_nodes_overlap_in_the_browser() -> None:
    boxes = [(*node["pos"], *node["size"]) for node in load("v1.ui.json")["nodes"]]
    for i, (x, y, width, height) in enumerate(boxes):
        for left, top, wide, high in boxes[i + 1 :]:
            apart_x = x + width <= left or left + wide <= x
            apart_y = y + height <= top or top + high <= y
            assert apart_x or apart_y


def test_every_slot_names_a_widget_of_the_graph_and_its_default() -> None:
    graph, spec = load("v1.json"), load("v1.slots.json")
    assert set(spec["slots"]) == OUR_SLOTS
    for slot in spec["slots"].values():
        value = graph[slot["node"]]["inputs"][slot["input"]]
        assert type(value) is TYPES[slot["type"]]
        assert slot["required"] == ("default" not in slot)
        assert slot.get("default", value) == value
        assert slot["description"]


def test_the_page_comes_from_the_node_that_saves_it() -> None:
    output = load("v1.slots.json")["outputs"]["page"]["node"]
    assert load("v1.json")[output]["class_type"] == "SaveImage"


def test_every_node_has_a_title_that_tells_an_artist_what_it_is_for() -> None:
    for node in load("v1.json").values():
        assert " " in node["_meta"]["title"] or node["class_type"] not in node["_meta"]["title"]


@pytest.mark.parametrize("line", (WORKFLOWS / "RELEASED").read_text().splitlines())
def test_a_released_file_has_not_changed(line: str) -> None:
    digest, name = line.split("  ")
    assert hashlib.sha256((WORKFLOWS / name).read_bytes()).hexdigest() == digest


def test_every_workflow_file_is_released() -> None:
    released = {line.split("  ")[1] for line in (WORKFLOWS / "RELEASED").read_text().splitlines()}
    assert released == {str(path.relative_to(WORKFLOWS)) for path in WORKFLOWS.glob("*/*.json")}
