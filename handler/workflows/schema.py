"""Node schemas: which inputs and outputs a ComfyUI's node classes have. Pure.

``workflows/object_info.json`` stores them in the form of ComfyUI's ``/object_info``, less what
only describes (tooltips, help texts) and less what differs from machine to machine: an input that
offers the files of a folder names the folder (``file_folder``) in place of its files.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handler.errors import WorkflowInvalid

COMBO = "COMBO"
INPUT_FOLDER = "input"
"""The ``file_folder`` of inputs that offer uploaded images; all others are models folders."""

STORED_NAME = "object_info.json"
PROBE_PREFIX = "foxetales-probe."
"""Beginning of the names of empty files that show which input offers which folder's files."""

OUR_MODULE = "custom_nodes.foxetales"
_WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", COMBO})
_FILE_SUFFIXES = (".safetensors", ".sft", ".onnx", ".pth", ".pt", ".bin", ".ckpt", ".png", ".jpg")
_DESCRIBING = frozenset({"tooltip", "placeholder"})
_KEPT = ("input_order", "output", "output_name", "display_name", "output_node")


@dataclass(frozen=True)
class InputSchema:
    """One input of a node class. ``choices`` are a combo's fixed values; ``file_folder`` is the
    folder whose files it offers as well, if it does."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: tuple[Any, ...] = ()
    file_folder: str | None = None

    @property
    def is_widget(self) -> bool:
        """Whether the browser shows a field for it, whose value the file stores."""
        return self.type in _WIDGET_TYPES and not self.options.get("forceInput", False)

    @property
    def default(self) -> Any:
        """What the browser fills in by itself."""
        if "default" in self.options:
            return self.options["default"]
        return (
            self.choices[0] if self.choices else {"STRING": "", "BOOLEAN": False}.get(self.type, 0)
        )


@dataclass(frozen=True)
class NodeSchema:
    """A node class: inputs in the browser's order, types and names of its outputs."""

    name: str
    title: str
    inputs: Mapping[str, InputSchema]
    outputs: tuple[str, ...]
    output_names: tuple[str, ...]


Schema = Mapping[str, NodeSchema]


def parse(object_info: Any) -> dict[str, NodeSchema]:
    """Return the node classes in an answer of ``/object_info`` or in a stored schema.

    Raises:
        WorkflowInvalid: it has another form; names the node class.
    """
    if not isinstance(object_info, dict):
        raise WorkflowInvalid("the node schema is not an object of node classes")
    schema = {}
    for name, described in object_info.items():
        try:
            schema[name] = _node(name, described)
        except (AttributeError, KeyError, IndexError, TypeError) as error:
            raise WorkflowInvalid(f"the schema of node class {name} is malformed") from error
    return schema


def load(path: Path) -> dict[str, NodeSchema]:
    """Read a stored schema.

    Raises:
        WorkflowInvalid: the file is missing or malformed.
    """
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise WorkflowInvalid(f"{path}: no readable node schema: {error}") from error


def stored_form(object_info: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    """What to store of an ``/object_info`` taken with probe files in every folder: the classes
    in ``used`` and all of ours, without tooltips and file names.

    Raises:
        WorkflowInvalid: a used class isn't there.
    """
    wanted = set(used)
    if missing := sorted(wanted - set(object_info)):
        raise WorkflowInvalid(
            f"this ComfyUI does not have: {', '.join(missing)}; "
            "workers have ComfyUI's own nodes and ours, and no other pack"
        )
    ours = {n for n, node in object_info.items() if node.get("python_module") == OUR_MODULE}
    return {name: _stored_node(object_info[name]) for name in sorted(wanted | ours)}


def with_file_folders(schema: Schema, known: Schema) -> dict[str, NodeSchema]:
    """``schema``, of a ComfyUI without probe files, with the file folders that ``known`` names;
    those inputs lose the files of that machine."""
    marked = {}
    for name, node in schema.items():
        inputs = dict(node.inputs)
        other = known[name].inputs if name in known else {}
        for key, old in other.items():
            if old.file_folder and key in inputs and inputs[key].type == COMBO:
                new = inputs[key]
                inputs[key] = InputSchema(
                    key, COMBO, new.required, new.options, old.choices, old.file_folder
                )
        marked[name] = NodeSchema(name, node.title, inputs, node.outputs, node.output_names)
    return marked


def _node(name: str, described: Mapping[str, Any]) -> NodeSchema:
    inputs: dict[str, InputSchema] = {}
    order = described.get("input_order", {})
    for section in ("required", "optional"):
        entries = described["input"].get(section) or {}
        for key in order.get(section) or entries:
            inputs[key] = _input(key, entries[key], required=section == "required")
    outputs = tuple(COMBO if isinstance(o, list) else str(o) for o in described["output"])
    names = tuple(str(n) for n in described.get("output_name") or outputs)
    return NodeSchema(name, described.get("display_name") or name, inputs, outputs, names)


def _input(name: str, entry: list[Any], *, required: bool) -> InputSchema:
    kind: Any = entry[0]
    options = dict(entry[1]) if len(entry) > 1 else {}
    values: list[Any] = []
    if isinstance(kind, list):
        kind, values = COMBO, kind
    elif kind == COMBO:
        values = options.get("options") or []
    folder = options.get("file_folder") or _probed_folder(values)
    choices = tuple(v for v in values if not _is_probe(v) and not (folder and _is_file(v)))
    return InputSchema(name, str(kind), required, options, choices, folder)


def _is_probe(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(PROBE_PREFIX)


def _is_file(value: Any) -> bool:
    """Whether a choice of an input that offers a folder's files is one of them, not a built-in."""
    return isinstance(value, str) and value.lower().endswith(_FILE_SUFFIXES)


def _probed_folder(values: list[Any]) -> str | None:
    return next((v.split(".")[1] for v in values if _is_probe(v)), None)


def _stored_node(described: Mapping[str, Any]) -> dict[str, Any]:
    sections = {}
    for section in ("required", "optional"):
        entries = described["input"].get(section)
        if entries:
            sections[section] = {key: _stored_input(entry) for key, entry in entries.items()}
    return {"input": sections, **{key: described[key] for key in _KEPT if key in described}}


def _stored_input(entry: list[Any]) -> list[Any]:
    spec = _input("", entry, required=True)
    options = {k: v for k, v in spec.options.items() if k not in _DESCRIBING | {"options"}}
    if spec.type != COMBO:
        return [spec.type, options] if options else [spec.type]
    if spec.file_folder:
        options["file_folder"] = spec.file_folder
        options.pop("default", None)  # the first file of that machine
    return [COMBO, {**options, "options": list(spec.choices)}]
