"""Graphs whose files aren't one output: they get a small picture of ours to wait for."""

from typing import Any, Final

from handler.graph import FilledGraph, Graph

_SIZE: Final = 16


def with_end_mark(graph: Graph, prefix: str) -> FilledGraph:
    """Return ``graph`` with two more of ComfyUI's own nodes, which save a picture of 16 × 16
    pixels under ``prefix``. What else the graph saves stays where its nodes put it."""
    picture, mark = (_free_id(graph, name) for name in ("end_picture", "end_mark"))
    size = {"width": _SIZE, "height": _SIZE, "batch_size": 1, "color": 0}
    prompt: dict[str, dict[str, Any]] = {
        **graph,
        picture: {"class_type": "EmptyImage", "inputs": size},
        mark: {
            "class_type": "SaveImage",
            "inputs": {"images": [picture, 0], "filename_prefix": prefix},
        },
    }
    titles = {
        node_id: str(node.get("_meta", {}).get("title") or node["class_type"])
        for node_id, node in prompt.items()
    }
    return FilledGraph(prompt, mark, titles)


def _free_id(graph: Graph, name: str) -> str:
    while name in graph:
        name = f"_{name}"
    return name
