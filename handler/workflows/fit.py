"""Whether a graph in API format, its slots and its model files fit the node schemas. Pure."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from handler.graph import Graph, Workflow
from handler.slots import Slot
from handler.workflows.model_list import ListedModel
from handler.workflows.schema import COMBO, INPUT_FOLDER, InputSchema, Schema
from handler.workflows.ui_graph import types_fit

Models = Mapping[tuple[str, str], ListedModel]
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "INT": (int,),
    "FLOAT": (int, float),
    "STRING": (str,),
    "BOOLEAN": (bool,),
}
_SLOT_TYPES = {
    "text": ("STRING", COMBO),
    "identity": ("STRING", COMBO),
    "choice": (COMBO, "STRING"),
    "integer": ("INT", "FLOAT"),
    "number": ("FLOAT",),
    "image": (COMBO,),
}
_SHOWN_CHOICES = 8


@dataclass(frozen=True)
class Misfit:
    """What is wrong at a node, or at one of its inputs."""

    node: str
    input: str | None
    reason: str


def graph_misfits(graph: Graph, schema: Schema) -> Iterator[Misfit]:
    """Yield everything that ComfyUI would refuse in a graph, and inputs it would ignore."""
    for node_id, node in graph.items():
        described = schema.get(node["class_type"])
        if described is None:
            yield Misfit(node_id, None, f"there is no node class {node['class_type']!r}")
            continue
        for name, spec in described.inputs.items():
            if spec.required and name not in node["inputs"]:
                yield Misfit(node_id, name, "this required input is missing")
        for name, value in node["inputs"].items():
            if name not in described.inputs:
                yield Misfit(node_id, name, f"{node['class_type']} has no such input")
                continue
            spec = described.inputs[name]
            reason = (
                _link_reason(value, spec, graph, schema)
                if is_link(value)
                else _value_reason(value, spec)
            )
            if reason:
                yield Misfit(node_id, name, reason)


def slot_misfits(workflow: Workflow, schema: Schema) -> Iterator[Misfit]:
    """Yield the slots whose type, choices or default the input that they fill would refuse."""
    for name, slot in workflow.spec.slots.items():
        spec = _spec_of(workflow, slot.node, slot.input, schema)
        reason = _slot_reason(slot, spec) if spec else None
        if reason:
            yield Misfit(slot.node, slot.input, f"slot {name!r} {reason}")


def model_misfits(workflow: Workflow, schema: Schema, models: Models) -> Iterator[Misfit]:
    """Yield the model files that the model list or the slots file lacks."""
    declared = {(model.folder, model.file) for model in workflow.spec.models}
    for (folder, file), (node, name) in used_models(workflow, schema).items():
        if (folder, file) not in models:
            yield Misfit(node, name, f"{folder}/{file} is not in the model list")
        if (folder, file) not in declared:
            yield Misfit(node, name, f"{folder}/{file} is not among the slots file's models")


def used_models(workflow: Workflow, schema: Schema) -> dict[tuple[str, str], tuple[str, str]]:
    """Folder and name of each model file that a graph may load, as it is or by the choices of a
    slot → the first node and input that loads it."""
    choices = {
        (slot.node, slot.input): [slot.in_node(choice) for choice in slot.allowed]
        for slot in workflow.spec.slots.values()
    }
    used: dict[tuple[str, str], tuple[str, str]] = {}
    for node_id, node in workflow.graph.items():
        for name, value in node["inputs"].items():
            spec = _spec_of(workflow, node_id, name, schema)
            if spec is None or spec.file_folder in (None, INPUT_FOLDER):
                continue
            for file in [value, *choices.get((node_id, name), ())]:
                if isinstance(file, str) and file not in spec.choices:
                    used.setdefault((str(spec.file_folder), file), (node_id, name))
    return used


def is_link(value: Any) -> bool:
    """Whether an input's value is another node's output."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _spec_of(workflow: Workflow, node: str, name: str, schema: Schema) -> InputSchema | None:
    described = schema.get(workflow.node_classes[node])
    return described.inputs.get(name) if described else None


def _link_reason(value: Any, spec: InputSchema, graph: Graph, schema: Schema) -> str | None:
    source, place = value
    if source not in graph:
        return f"it is linked to node {source}, which is not there"
    described = schema.get(graph[source]["class_type"])
    if described is None:
        return None  # reported at that node
    if type(place) is not int or not 0 <= place < len(described.outputs):
        return f"it is linked to output {place} of node {source}, which has none of that number"
    if not types_fit(described.outputs[place], spec.type):
        return f"it takes {spec.type}, but node {source} gives {described.outputs[place]}"
    return None


def _value_reason(value: Any, spec: InputSchema) -> str | None:
    if isinstance(value, dict) and set(value) == {"__value__"}:
        value = value["__value__"]
    if spec.type == COMBO:
        return _choice_reason(value, spec)
    wanted = _PYTHON_TYPES.get(spec.type)
    if wanted is None:
        return None if "*" in spec.type else f"it takes {spec.type} and has to be linked"
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        return f"it takes {spec.type}, not {_shown(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _range_reason(value, spec)
    return None


def _range_reason(value: float, spec: InputSchema) -> str | None:
    low, high = spec.options.get("min"), spec.options.get("max")
    if not math.isfinite(value):
        return "it takes a finite number"
    if low is not None and value < low:
        return f"{value} is below its minimum, {low}"
    if high is not None and value > high:
        return f"{value} is above its maximum, {high}"
    return None


def _choice_reason(value: Any, spec: InputSchema) -> str | None:
    if spec.file_folder:
        return None if isinstance(value, str) and value else "it takes a file's name"
    values = value if isinstance(value, list) and spec.options.get("multiselect") else [value]
    for chosen in values:
        if chosen not in spec.choices:
            few = ", ".join(str(choice) for choice in spec.choices[:_SHOWN_CHOICES])
            more = ", …" if len(spec.choices) > _SHOWN_CHOICES else ""
            return f"{_shown(chosen)} is not among its choices: {few}{more}"
    return None


def _slot_reason(slot: Slot, spec: InputSchema) -> str | None:
    if spec.type not in _SLOT_TYPES[slot.type] and not slot.values:
        return f"is of type {slot.type}, but the input takes {spec.type}"
    if (slot.type == "image") != (spec.file_folder == INPUT_FOLDER):
        return f"is of type {slot.type}, but the input takes {_files_of(spec)}"
    if spec.type == COMBO and slot.type == "text" and not spec.file_folder:
        return "is of type text, but the input has choices: make it a choice"
    if slot.type == "choice" and not slot.allowed and spec.type == COMBO:
        return "names no choices"
    for value in [*slot.allowed, *([] if slot.default is None else [slot.default])]:
        reason = _value_reason(slot.in_node(value), spec)
        if reason:
            return f"allows a value that the input refuses: {reason}"
    return None


def _files_of(spec: InputSchema) -> str:
    if spec.file_folder == INPUT_FOLDER:
        return "an image"
    return f"a file of models/{spec.file_folder}" if spec.file_folder else spec.type


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
