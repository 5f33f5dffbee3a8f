"""Small workflows of core nodes, written to a folder as an artist would ship them."""

import json
from pathlib import Path
from typing import Any


def tiny_graph() -> dict[str, Any]:
    """Load a photo, invert it, save it."""
    return {
        "load": {
            "class_type": "LoadImage",
            "inputs": {"image": "example.png"},
            "_meta": {"title": "Photo"},
        },
        "invert": {
            "class_type": "ImageInvert",
            "inputs": {"image": ["load", 0]},
            "_meta": {"title": "Invert"},
        },
        "save": {
            "class_type": "SaveImage",
            "inputs": {"images": ["invert", 0], "filename_prefix": "page"},
            "_meta": {"title": "Save the page"},
        },
    }


def tiny_slots() -> dict[str, Any]:
    """The slots of :func:`tiny_graph`."""
    return {
        "name": "tiny",
        "version": 1,
        "label": "test",
        "slots": {
            "photo": {"node": "load", "input": "image", "type": "image", "required": True},
            "filename_prefix": {
                "node": "save",
                "input": "filename_prefix",
                "type": "text",
                "required": True,
            },
        },
        "outputs": {"page": {"node": "save"}},
    }


def tiny_identity_graph() -> dict[str, Any]:
    """Load a photo, save an identity. The node pack's own nodes, without those in between."""
    return {
        "load": tiny_graph()["load"],
        "save": {
            "class_type": "FoxetalesIdentitySave",
            "inputs": {"identity": ["load", 0], "filename_prefix": "person"},
            "_meta": {"title": "Save the identity"},
        },
    }


def tiny_identity_slots() -> dict[str, Any]:
    """The slots of :func:`tiny_identity_graph`."""
    outputs = {"identity": {"node": "save", "type": "identity"}}
    return {**tiny_slots(), "name": "tiny_identity", "outputs": outputs}


def portrait_graph() -> dict[str, Any]:
    """Load an identity, save an image. The node pack's own nodes, without those in between."""
    return {
        "load": {
            "class_type": "FoxetalesIdentityLoad",
            "inputs": {"file": "example.safetensors"},
            "_meta": {"title": "Identity"},
        },
        "save": {
            "class_type": "SaveImage",
            "inputs": {"images": ["load", 0], "filename_prefix": "page"},
            "_meta": {"title": "Save the page"},
        },
    }


def portrait_slots() -> dict[str, Any]:
    """The slots of :func:`portrait_graph`."""
    prefix = tiny_slots()["slots"]["filename_prefix"]
    person = {"node": "load", "input": "file", "type": "identity", "required": True}
    slots = {"person": person, "filename_prefix": prefix}
    return {**tiny_slots(), "name": "portrait", "slots": slots}


def blank_graph(color: int = 255, size: int = 32) -> dict[str, Any]:
    """Save an empty image; needs no input file."""
    return {
        "paint": {
            "class_type": "EmptyImage",
            "inputs": {"width": size, "height": size, "batch_size": 1, "color": color},
        },
        "save": {
            "class_type": "SaveImage",
            "inputs": {"images": ["paint", 0], "filename_prefix": "blank/page"},
        },
    }


def slow_graph(prefix: str, nodes: int = 200) -> dict[str, Any]:
    """Blur an image again and again: minutes of work on a CPU, in steps of a part of a second."""
    graph = blank_graph(size=512)
    previous = "paint"
    for number in range(nodes):
        graph[f"blur_{number}"] = {
            "class_type": "ImageBlur",
            "inputs": {"image": [previous, 0], "blur_radius": 12, "sigma": 1.0 + number / 1000},
        }
        previous = f"blur_{number}"
    graph["save"]["inputs"] = {"images": [previous, 0], "filename_prefix": prefix}
    return graph


def write_workflow(
    folder: Path, graph: Any = None, slots: Any = None, name: str = "tiny", version: int = 1
) -> Path:
    """Write graph and slots below ``folder``; return the graph's path."""
    path = folder / name / f"v{version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tiny_graph() if graph is None else graph))
    path.with_suffix(".slots.json").write_text(json.dumps(tiny_slots() if slots is None else slots))
    return path
