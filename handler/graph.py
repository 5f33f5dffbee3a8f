"""Workflows: released ComfyUI graphs whose places to fill have names.

``<name>/v<N>.json`` is the graph in ComfyUI's API format, ``<name>/v<N>.slots.json`` says which
node and input each slot fills. Nothing outside this module knows a node's id.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from contract.job import SlotValue
from handler.errors import InvalidSlot, UnknownWorkflow, WorkflowInvalid
from handler.slots import FILE_SLOTS, Output, OutputType, Slot, SlotsFile, checked, filling

Graph = dict[str, dict[str, Any]]

OUTPUT_NAMES: Final[Mapping[OutputType, str]] = {"image": "page", "identity": "identity"}
"""What the one output of a workflow is called, by what it is."""

PREFIX_SLOT = "filename_prefix"
SEED_SLOT = "seed"
RESERVED_SLOTS = frozenset({PREFIX_SLOT, SEED_SLOT})
"""Slots that the worker fills by itself. The prefix must be there: an identical graph runs nothing
and names a file of an earlier run, so every run writes under a name of its own."""

_FILE = re.compile(r"v([1-9][0-9]*)\.json")
_PLACES = {"image": "page's assets", "identity": "job's identity"}


@dataclass(frozen=True)
class FilledGraph:
    """A graph ready to be submitted, the node whose file is wanted, the nodes' titles, what the
    file is, and whether it is an image's ``.npy`` (see :mod:`handler.pixels`)."""

    prompt: Graph
    output_node: str
    titles: Mapping[str, str]
    makes: OutputType = "image"
    raw: bool = False


@dataclass(frozen=True)
class Workflow:
    """A checked pair of graph and slots."""

    source: Path
    graph: Graph
    spec: SlotsFile

    @property
    def label(self) -> str:
        """Name and version, for people."""
        return f"{self.spec.name} v{self.spec.version}"

    @property
    def node_classes(self) -> dict[str, str]:
        """Node id → class name."""
        return {node_id: node["class_type"] for node_id, node in self.graph.items()}

    @property
    def output(self) -> Output:
        """The one output."""
        return next(iter(self.spec.outputs.values()))

    @property
    def makes(self) -> OutputType:
        """What the output's file is."""
        return self.output.type

    @property
    def identity_slot(self) -> str | None:
        """The name of the slot that takes an identity, if there is one."""
        return self.spec.identity_slot

    def check(self, values: Mapping[str, SlotValue], files: frozenset[str]) -> None:
        """Check that a job's slot values and the slots it has files for fit this workflow.

        Raises:
            InvalidSlot: one is unknown, missing, reserved, or of another type.
        """
        slots = self.spec.slots
        for name in sorted({*values, *files}):
            if name not in slots:
                raise InvalidSlot(f"{self.label} has no slot {_shown(name)}")
            if name in RESERVED_SLOTS:
                raise InvalidSlot(f"slot {name!r} is filled by the worker")
            if (name in files) != (slots[name].type in FILE_SLOTS) or name in files & set(values):
                place = _PLACES.get(slots[name].type, "page's slots")
                raise InvalidSlot(f"slot {name!r} belongs into the {place}")
        for name, value in values.items():
            checked(name, slots[name], value)
        for name, slot in slots.items():
            if slot.required and name not in {*values, *files, *RESERVED_SLOTS}:
                raise InvalidSlot(f"slot {name!r} of {self.label} is missing")

    def fill(
        self,
        values: Mapping[str, SlotValue],
        files: Mapping[str, str],
        *,
        filename_prefix: str,
        seed: int,
    ) -> FilledGraph:
        """Return the graph with its slots filled; ``files`` maps slots to input file names.

        Raises:
            InvalidSlot: see :meth:`check`.
        """
        self.check(values, frozenset(files))
        prompt = copy.deepcopy(self.graph)
        slots = self.spec.slots
        filled = filling(slots, values) | dict(files) | {PREFIX_SLOT: filename_prefix}
        if SEED_SLOT in slots:
            filled |= {SEED_SLOT: seed}
        for name, value in filled.items():
            prompt[slots[name].node]["inputs"][slots[name].input] = value
        return FilledGraph(prompt, self.output.node, _titles(prompt), self.makes)


class Workflows:
    """Every workflow below a folder, loaded and checked once."""

    def __init__(self, loaded: Mapping[tuple[str, int], Workflow]) -> None:
        self._loaded = dict(loaded)

    def __iter__(self) -> Iterator[Workflow]:
        return iter(self._loaded.values())

    def get(self, name: str, version: int) -> Workflow:
        """Return a workflow.

        Raises:
            UnknownWorkflow: there is none of that name and version.
        """
        try:
            return self._loaded[name, version]
        except KeyError:
            raise UnknownWorkflow(f"there is no workflow {name} v{version}") from None

    def check_nodes(self, known: frozenset[str]) -> None:
        """Check that a running ComfyUI, which has the node classes ``known``, has every node.

        Raises:
            WorkflowInvalid: it hasn't; names the file, the node and its class.
        """
        for workflow in self._loaded.values():
            for node_id, class_type in workflow.node_classes.items():
                if class_type not in known:
                    raise WorkflowInvalid(
                        f"{workflow.source}: node {node_id} is a {class_type!r}, "
                        "which this ComfyUI does not have"
                    )


def load_workflows(folder: Path) -> Workflows:
    """Load ``<folder>/<name>/v<N>.json`` with its slots, for every name and N.

    Raises:
        WorkflowInvalid: a file is wrong, or there is no workflow at all.
    """
    loaded = {}
    for path in sorted(folder.glob("*/v*.json")):
        match = _FILE.fullmatch(path.name)
        if match:
            loaded[path.parent.name, int(match[1])] = load_workflow(path)
    if not loaded:
        raise WorkflowInvalid(f"{folder}: no workflow (<name>/v<N>.json) in this folder")
    return Workflows(loaded)


def load_workflow(path: Path) -> Workflow:
    """Load one graph, ``…/<name>/v<N>.json``, and the slots beside it.

    Raises:
        WorkflowInvalid: a file is missing, unreadable, of another format, or they disagree.
    """
    slots_path = path.with_suffix(".slots.json")
    graph = _api_graph(path, _read_json(path))
    try:
        spec = SlotsFile.model_validate(_read_json(slots_path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WorkflowInvalid(f"{slots_path}: {where}: {first['msg']}") from None
    match = _FILE.fullmatch(path.name)
    if not match or (spec.name, spec.version) != (path.parent.name, int(match[1])):
        raise WorkflowInvalid(f"{slots_path}: says it is {spec.name} v{spec.version}")
    _check_places(slots_path, graph, spec)
    return Workflow(path, graph, spec)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkflowInvalid(f"{path}: the file is missing") from None
    except (OSError, ValueError) as error:
        raise WorkflowInvalid(f"{path}: not readable as JSON: {error}") from error


def _api_graph(path: Path, raw: Any) -> Graph:
    if not isinstance(raw, dict) or not raw:
        raise WorkflowInvalid(f"{path}: not a graph in API format")
    if "nodes" in raw and "links" in raw:
        raise WorkflowInvalid(
            f"{path}: this is the browser's format; use Export (API) to make the API format"
        )
    for node_id, node in raw.items():
        is_node = isinstance(node, dict) and isinstance(node.get("inputs"), dict)
        if not is_node or not isinstance(node.get("class_type"), str):
            raise WorkflowInvalid(f"{path}: node {node_id} has no class_type or no inputs")
    for node_id, node in raw.items():
        for name, value in node["inputs"].items():
            if _is_link(value) and value[0] not in raw:
                raise WorkflowInvalid(
                    f"{path}: input {name!r} of node {node_id} is linked to node {value[0]}, "
                    "which is not in the graph"
                )
    return raw


def _check_places(path: Path, graph: Graph, spec: SlotsFile) -> None:
    places: dict[tuple[str, str], str] = {}
    for name, slot in spec.slots.items():
        if slot.node not in graph:
            raise WorkflowInvalid(f"{path}: slot {name!r}: node {slot.node} is not in the graph")
        inputs = graph[slot.node]["inputs"]
        if slot.input not in inputs:
            raise WorkflowInvalid(
                f"{path}: slot {name!r}: node {slot.node} has no input {slot.input!r}"
            )
        if _is_link(inputs[slot.input]):
            raise WorkflowInvalid(
                f"{path}: slot {name!r}: input {slot.input!r} of node {slot.node} is linked"
            )
        other = places.setdefault((slot.node, slot.input), name)
        if other != name:
            raise WorkflowInvalid(f"{path}: slots {other!r} and {name!r} fill the same input")
        _check_default(path, name, slot)
    prefix = spec.slots.get(PREFIX_SLOT)
    if prefix is None or prefix.type != "text":
        raise WorkflowInvalid(f"{path}: slot {PREFIX_SLOT!r} (text) is missing")
    if sum(slot.type == "identity" for slot in spec.slots.values()) > 1:
        raise WorkflowInvalid(f"{path}: there is more than one identity slot")
    _check_output(path, graph, spec)


def _check_output(path: Path, graph: Graph, spec: SlotsFile) -> None:
    names = ", ".join(repr(name) for name in spec.outputs) or "none"
    if [OUTPUT_NAMES[output.type] for output in spec.outputs.values()] != list(spec.outputs):
        raise WorkflowInvalid(
            f"{path}: an output is called 'page', or 'identity' if it is one; here: {names}"
        )
    if len(spec.outputs) != 1:
        raise WorkflowInvalid(f"{path}: a workflow has one output, 'page' or 'identity': {names}")
    for name, output in spec.outputs.items():
        if output.node not in graph:
            raise WorkflowInvalid(
                f"{path}: output {name!r}: node {output.node} is not in the graph"
            )


def _check_default(path: Path, name: str, slot: Slot) -> None:
    if slot.default is None:
        return
    if slot.type in FILE_SLOTS:
        raise WorkflowInvalid(f"{path}: slot {name!r}: an {slot.type} slot has no default")
    try:
        checked(name, slot, slot.default)
    except InvalidSlot as error:
        raise WorkflowInvalid(f"{path}: default of {error}") from None


def _is_link(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _titles(graph: Graph) -> dict[str, str]:
    return {
        node_id: str(node.get("_meta", {}).get("title") or node["class_type"])
        for node_id, node in graph.items()
    }


def _shown(name: str) -> str:
    """A name that came from outside, if it looks like a name."""
    return repr(name) if re.fullmatch(r"[A-Za-z0-9_]{1,64}", name) else "of that name"
