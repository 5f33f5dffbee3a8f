"""The browser's rules, on small graphs; tests/handler/workflows/test_browser.py asks a browser."""

from typing import Any

import pytest

from handler.errors import WorkflowInvalid
from handler.workflows.schema import parse
from handler.workflows.ui_graph import api_graph, classes_in, set_widget

SCHEMA = parse(
    {
        "Load": {
            "input": {"required": {"image": [["a.png"], {"image_upload": True}]}},
            "output": ["IMAGE", "MASK"],
            "display_name": "Load a picture",
        },
        "Change": {
            "input": {
                "required": {
                    "image": ["IMAGE"],
                    "seed": ["INT", {"default": 0}],
                    "text": ["STRING", {"dynamicPrompts": True}],
                },
                "optional": {"mask": ["MASK"], "mode": ["COMBO", {"options": ["x", "y"]}]},
            },
            "output": ["IMAGE"],
        },
    }
)


def node(number: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "type": kind, "mode": 0, "inputs": [], "outputs": [], **more}


def socket(name: str, kind: str, link: int | None) -> dict[str, Any]:
    return {"name": name, "type": kind, "link": link}


def change(number: int, link: int | None, **more: Any) -> dict[str, Any]:
    values = [7, "randomize", "a fox", "y"]
    fields = {"inputs": [socket("image", "IMAGE", link)], "widgets_values": values, **more}
    return node(number, "Change", outputs=[{"name": "IMAGE", "type": "IMAGE"}], **fields)


def load(number: int = 1, **more: Any) -> dict[str, Any]:
    return node(number, "Load", widgets_values=["a.png", "image"], **more)


def graph(*nodes: dict[str, Any], links: list[list[Any]]) -> dict[str, Any]:
    return {"nodes": list(nodes), "links": links, "version": 0.4}


def test_helpers_of_the_browser_are_not_sent() -> None:
    made = api_graph(graph(load(), change(2, 1), links=[[1, 1, 0, 2, 0, "IMAGE"]]), SCHEMA)
    assert made["1"]["inputs"] == {"image": "a.png"}
    assert made["2"]["inputs"] == {"image": ["1", 0], "seed": 7, "text": "a fox", "mode": "y"}
    assert made["1"]["_meta"] == {"title": "Load a picture"}


def test_a_bypassed_node_passes_on_the_input_of_its_outputs_type() -> None:
    middle = change(2, 1, mode=4)
    links = [[1, 1, 0, 2, 0, "IMAGE"], [2, 2, 0, 3, 0, "IMAGE"]]
    made = api_graph(graph(load(), middle, change(3, 2), links=links), SCHEMA)
    assert set(made) == {"1", "3"}
    assert made["3"]["inputs"]["image"] == ["1", 0]


def test_a_muted_node_is_left_out_with_its_links() -> None:
    links = [[1, 1, 0, 2, 0, "IMAGE"]]
    made = api_graph(graph(load(mode=2), change(2, 1), links=links), SCHEMA)
    assert set(made) == {"2"}
    assert "image" not in made["2"]["inputs"]


def test_reroutes_and_notes_vanish_and_primitives_become_values() -> None:
    bend = node(4, "Reroute", inputs=[socket("", "*", 1)])
    primitive = node(5, "PrimitiveNode", widgets_values=[99, "fixed"])
    target = change(2, 2)
    target["inputs"].append({**socket("seed", "INT", 3), "widget": {"name": "seed"}})
    links = [[1, 1, 0, 4, 0, "IMAGE"], [2, 4, 0, 2, 0, "IMAGE"], [3, 5, 0, 2, 1, "INT"]]
    made = api_graph(graph(load(), bend, primitive, node(6, "Note"), target, links=links), SCHEMA)
    assert set(made) == {"1", "2"}
    assert made["2"]["inputs"]["image"] == ["1", 0]
    assert made["2"]["inputs"]["seed"] == 99


def test_the_classes_of_a_file_are_those_that_are_sent() -> None:
    nodes = [load(), change(2, None, mode=2), node(6, "MarkdownNote"), node(7, "New")]
    assert classes_in(graph(*nodes, links=[])) == {"Load", "New"}


@pytest.mark.parametrize("text", ["{red|blue} fur", "fur // note", "fur /* note */"])
def test_a_text_that_the_browser_would_change_is_refused(text: str) -> None:
    ui = graph(change(2, None, widgets_values=[7, "fixed", text, "y"]), links=[])
    with pytest.raises(WorkflowInvalid, match="node 2, input 'text'"):
        api_graph(ui, SCHEMA)


def test_subgraphs_unknown_classes_and_circles_are_refused() -> None:
    ui = graph(node(1, "abc"), links=[])
    with pytest.raises(WorkflowInvalid, match="node 1 is a 'abc'"):
        api_graph(ui, SCHEMA)
    with pytest.raises(WorkflowInvalid, match="unpack"):
        api_graph(ui | {"definitions": {"subgraphs": [{"id": "abc"}]}}, SCHEMA)
    loop = node(4, "Reroute", inputs=[socket("", "*", 1)])
    links = [[1, 4, 0, 4, 0, "IMAGE"]]
    with pytest.raises(WorkflowInvalid, match="circle"):
        api_graph(graph(loop, change(2, 1), links=links), SCHEMA)
    with pytest.raises(WorkflowInvalid, match="format"):
        api_graph({"1": {"class_type": "Load", "inputs": {}}}, SCHEMA)


def test_a_widget_is_set_in_its_place() -> None:
    ui = graph(change(2, None), links=[])
    set_widget(ui, SCHEMA, "2", "text", "a bear")
    assert ui["nodes"][0]["widgets_values"] == [7, "randomize", "a bear", "y"]
    with pytest.raises(WorkflowInvalid, match="no widget 'colour'"):
        set_widget(ui, SCHEMA, "2", "colour", 1)
