"""Workflows whose GPU work takes a fixed time and no processor."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handler.graph import load_workflow

ROOT = Path(__file__).resolve().parents[2]
SHORT, WHOLE = "short_page", "storybook_page"
ENCODE_S, DECODE_S = 0.05, 0.1
"""What an autoencoder takes of a page's time, about, on a GPU that samples for two seconds."""


def write_workflows(folder: Path, page_s: float) -> Path:
    """Write both workflows, and the released extraction, for pages that take ``page_s`` seconds."""
    _write(folder, SHORT, _short_graph(page_s), _short_slots())
    _write_whole(folder, page_s)
    shutil.copytree(ROOT / "workflows" / "identity", folder / "identity")
    return folder


def _short_graph(page_s: float) -> dict[str, Any]:
    """Load, work, save."""
    return {
        "1": _node("LoadImage", image="page.png"),
        "2": _node("FixedImage", image=["1", 0], seconds=page_s),
        "3": _node("SaveImage", images=["2", 0], filename_prefix="page"),
    }


def _short_slots() -> dict[str, Any]:
    return {
        "slots": {
            "background": {"node": "1", "input": "image", "type": "image", "required": True},
            "filename_prefix": {
                "node": "3",
                "input": "filename_prefix",
                "type": "text",
                "required": False,
                "default": "page",
            },
        },
        "outputs": {"page": {"node": "3"}},
    }


def _write_whole(folder: Path, page_s: float) -> None:
    """The released page; only what a GPU does is exchanged."""
    released = load_workflow(ROOT / "workflows" / WHOLE / "v1.json")
    slots = json.loads(released.source.with_suffix(".slots.json").read_text())
    graph = released.graph
    for node in graph.values():
        inputs = node["inputs"]
        if node["class_type"] == "KSampler":
            for name in ("cfg", "sampler_name", "scheduler"):
                del inputs[name]
            node["class_type"], inputs["seconds"] = "FixedSampler", page_s - ENCODE_S - DECODE_S
        elif node["class_type"] == "VAEEncode":
            node["class_type"], inputs["seconds"] = "FixedEncode", ENCODE_S
        elif node["class_type"] == "VAEDecode":
            node["class_type"], inputs["seconds"] = "FixedDecode", DECODE_S
    _write(folder, WHOLE, graph, slots)


def _write(folder: Path, name: str, graph: Any, slots: Mapping[str, Any]) -> None:
    target = folder / name / "v1.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(graph))
    head = {"name": name, "version": 1, "label": "benchmark"}
    target.with_suffix(".slots.json").write_text(json.dumps({**slots, **head}))


def _node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}
