"""Exchanges nodes of ComfyUI's in a filled graph that keep the GPU waiting.

Released graphs keep LoadImage, LoadImageMask and SaveImage, which artists see previews with, and
ImageCompositeMasked. The worker puts the node pack's drop-ins in their place: the same inputs,
outputs and numbers. The file nodes' take and give pixels as they are. A mask's contour is made with
the reading of its file.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from handler.graph import FilledGraph, Graph, Workflow
from handler.pixels import SUFFIX

_READERS: Final[Mapping[str, str]] = {
    "LoadImage": "FoxetalesReadPixels",
    "LoadImageMask": "FoxetalesReadMask",
}
_FILE_INPUT = "image"
_FEATHER = "FoxetalesContourFeather"
_CONTOUR_READER = "FoxetalesReadContour"
_COMPOSITE = {"ImageCompositeMasked": "FoxetalesComposite"}
_SAVER = "SaveImage"
_WRITER = "FoxetalesWritePixels"

DROP_INS: Final = frozenset({*_READERS.values(), *_COMPOSITE.values(), _CONTOUR_READER, _WRITER})
"""The node classes that are put in, beside those that a workflow names."""


def raw_slots(workflow: Workflow) -> frozenset[str]:
    """The image slots whose files are to be staged as ``.npy``; all others take the file itself."""
    return frozenset(
        name
        for name, slot in workflow.spec.slots.items()
        if slot.type == "image"
        and slot.input == _FILE_INPUT
        and workflow.graph[slot.node]["class_type"] in _READERS
        and not _may_want_alpha(workflow, slot.node)
    )


def exchanged(workflow: Workflow, filled: FilledGraph) -> FilledGraph:
    """Return ``filled``, a graph of ``workflow``, with the nodes that a ``.npy`` was filled into
    exchanged, the contours of such masks, its output node if it saves an image, and composites.

    A node whose slot was left empty stays: it has a file of the graph's own. Nothing else changes,
    and to exchange twice is to exchange once.
    """
    prompt = {
        node_id: {**node, "class_type": _COMPOSITE.get(node["class_type"], node["class_type"])}
        for node_id, node in filled.prompt.items()
    }
    for name in raw_slots(workflow):
        node_id = workflow.spec.slots[name].node
        node = prompt[node_id]
        if node["class_type"] in _READERS and node["inputs"][_FILE_INPUT].endswith(SUFFIX):
            prompt[node_id] = {**node, "class_type": _READERS[node["class_type"]]}
    prompt = {node_id: _contour_reader(node, prompt) or node for node_id, node in prompt.items()}
    output = prompt[filled.output_node]
    if output["class_type"] == _SAVER:
        output = prompt[filled.output_node] = {**output, "class_type": _WRITER}
    return replace(filled, prompt=prompt, raw=output["class_type"] == _WRITER)


def _contour_reader(node: dict[str, Any], prompt: Graph) -> dict[str, Any] | None:
    """The node that reads its mask's file by itself, for one that feathers a mask which is read
    as pixels: it needs no other node then, and is done while the page in front samples."""
    inputs = node["inputs"]
    if node["class_type"] != _FEATHER or not isinstance(inputs.get("mask"), list):
        return None
    source = prompt[inputs["mask"][0]]
    own = {name: value for name, value in inputs.items() if name != "mask"}
    if source["class_type"] != _READERS["LoadImageMask"]:
        return None
    return {**node, "class_type": _CONTOUR_READER, "inputs": {**source["inputs"], **own}}


def _may_want_alpha(workflow: Workflow, node_id: str) -> bool:
    """Whether the node's mask is alpha, or a job may choose it.

    LoadImageMask takes a colour key (tRNS of a grey or RGB PNG) for alpha, LoadImage doesn't; a
    ``.npy`` can only hold one of the two, and holds LoadImage's.
    """
    if workflow.graph[node_id]["class_type"] != "LoadImageMask":
        return False
    chosen = {(slot.node, slot.input) for slot in workflow.spec.slots.values()}
    channel = workflow.graph[node_id]["inputs"].get("channel")
    return (node_id, "channel") in chosen or channel not in ("red", "green", "blue")
