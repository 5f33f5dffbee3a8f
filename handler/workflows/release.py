"""Makes the next version of a workflow from a file that was edited in the browser.

The graph, its file in the browser's format, its slots and the hashes appear together: the graph,
without which nothing loads a version, comes last, and a failure before that leaves no trace.
"""

import copy
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from handler.errors import WorkflowInvalid
from handler.graph import Graph, Workflow, load_workflow
from handler.slots import FILE_SLOTS, Slot, SlotsFile
from handler.workflows.check import (
    RELEASED_NAME,
    check_workflow,
    graph_differences,
    graph_files,
    read_released,
    released_problems,
    sha256_of,
)
from handler.workflows.fit import Models, is_link, used_models
from handler.workflows.schema import Schema
from handler.workflows.ui_graph import api_graph, set_widget


class ReleaseRefused(Exception):
    """The edited file is not fit to be released. ``reasons`` says why, one sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Edited:
    """What an artist hands in: the browser's file, and what goes with it if it is given: the
    export in API format, and a slots file in place of the last version's."""

    ui: Path
    api: Path | None = None
    slots: Path | None = None


def release(folder: Path, name: str, edited: Edited, schema: Schema, models: Models) -> Workflow:
    """Add the next version of workflow ``name`` to ``folder`` and return it.

    Slots for files get the last version's placeholder back, in place of the artist's own, and the
    defaults of slots follow the graph.

    Raises:
        ReleaseRefused: slots don't resolve, the check fails, or nothing changed.
        WorkflowInvalid: a file has another format.
        OSError: the disk won't have it.
    """
    with _locked(folder):
        last = _last_version(folder, name)
        if hurt := [str(p) for p in released_problems(folder) if p.file in read_released(folder)]:
            raise ReleaseRefused(hurt)
        ui = _read(edited.ui)
        if last is None and edited.slots is None:
            raise ReleaseRefused([_unknown(folder, name)])
        graph = _graph_of(edited, ui, schema)
        if last is not None:
            _put_placeholders_back(last, graph, ui, schema)
        version = last.spec.version + 1 if last else 1
        slots = _slots(name, version, edited, last, graph)
        with tempfile.TemporaryDirectory(prefix=".release-", dir=folder) as staging:
            staged = Path(staging)
            files = _write(staged / name, version, _in_order(graph, schema), ui, slots)
            _name_models(files, schema)
            _refuse_unfit(staged, files[-1], schema, models)
            if last is not None:
                _refuse_unchanged(last, files)
            _install(folder, staged, files)
    return load_workflow(folder / name / f"v{version}.json")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # closing it, even by dying, unlocks
        yield
    finally:
        os.close(handle)


def _last_version(folder: Path, name: str) -> Workflow | None:
    paths = [path for path in graph_files(folder) if path.parent.name == name]
    loaded = [load_workflow(path) for path in paths]
    return max(loaded, key=lambda workflow: workflow.spec.version, default=None)


def _unknown(folder: Path, name: str) -> str:
    names = sorted({path.parent.name for path in graph_files(folder)})
    return (
        f"there is no workflow {name}, only {', '.join(names) or 'none'}; "
        "the first version of a new one needs its slots file, by --slots"
    )


def _graph_of(edited: Edited, ui: Any, schema: Schema) -> Graph:
    if _is_api_form(ui):
        raise ReleaseRefused([f"{edited.ui.name} is in API format: --from takes the other export"])
    shown = api_graph(ui, schema)
    if edited.api is None:
        return shown
    given: Graph = _read(edited.api)
    if not _is_api_form(given):
        raise ReleaseRefused([f"{edited.api.name} isn't in API format: export it by Export (API)"])
    differences = [
        f"{edited.ui.name} and {edited.api.name} are not the same graph: node {m.node}"
        f"{f', input {m.input!r}' if m.input else ''}: {m.reason}"
        for m in graph_differences(shown, given, schema)
    ]
    if differences:
        raise ReleaseRefused(differences)
    return given


def _is_api_form(content: Any) -> bool:
    nodes = list(content.values()) if isinstance(content, dict) else []
    return bool(nodes) and all(isinstance(node, dict) and "class_type" in node for node in nodes)


def _put_placeholders_back(last: Workflow, graph: Graph, ui: Any, schema: Schema) -> None:
    for slot in last.spec.slots.values():
        place = graph.get(slot.node, {}).get("inputs", {})
        if slot.type not in FILE_SLOTS or slot.input not in place or is_link(place[slot.input]):
            continue
        value = last.graph[slot.node]["inputs"][slot.input]
        if place[slot.input] != value:
            place[slot.input] = value
            set_widget(ui, schema, slot.node, slot.input, value)


def _slots(
    name: str, version: int, edited: Edited, last: Workflow | None, graph: Graph
) -> dict[str, Any]:
    source = edited.slots
    if source is None:
        assert last is not None  # release() asks for a slots file otherwise
        source = last.source.with_suffix(".slots.json")
    slots = dict(_read(source))
    slots |= {"name": name, "version": version}
    try:
        spec = SlotsFile.model_validate(slots)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WorkflowInvalid(f"slots: {where}: {first['msg']}") from None
    if lost := _unresolved(spec, graph):
        raise ReleaseRefused(lost)
    slots = copy.deepcopy(slots)
    for slot_name, slot in spec.slots.items():
        if slot.default is not None:
            value = graph[slot.node]["inputs"][slot.input]
            slots["slots"][slot_name]["default"] = _default(slot_name, slot, value)
    return slots


def _default(name: str, slot: Slot, value: Any) -> Any:
    """The default that puts ``value`` into the node."""
    if not slot.values:
        return value
    for choice, stands_for in slot.values.items():
        if stands_for == value:
            return choice
    raise ReleaseRefused([f"slot {name!r}: none of its values is {value!r}, as the field has it"])


def _unresolved(spec: SlotsFile, graph: Graph) -> list[str]:
    reasons = []
    for name, slot in spec.slots.items():
        if slot.node not in graph:
            reasons.append(f"slot {name!r}: node {slot.node} is not in the edited graph")
        elif slot.input not in graph[slot.node]["inputs"]:
            reasons.append(f"slot {name!r}: node {slot.node} has no input {slot.input!r} now")
        elif is_link(graph[slot.node]["inputs"][slot.input]):
            reasons.append(f"slot {name!r}: input {slot.input!r} of node {slot.node} is linked now")
    for name, output in spec.outputs.items():
        if output.node not in graph:
            reasons.append(f"output {name!r}: node {output.node} is not in the edited graph")
    return reasons


def _write(folder: Path, version: int, graph: Graph, ui: Any, slots: Any) -> list[Path]:
    """Write the three files; the graph is the last of the returned paths."""
    folder.mkdir(parents=True)
    contents = {f"v{version}.slots.json": slots, f"v{version}.ui.json": ui}
    contents[f"v{version}.json"] = graph
    for name, content in contents.items():
        (folder / name).write_text(_json(content), encoding="utf-8")
    return [folder / name for name in contents]


def _in_order(graph: Graph, schema: Schema) -> Graph:
    """The same graph in an order that exports agree on, for short differences between versions."""
    ordered: Graph = {}
    for node_id in sorted(graph, key=lambda key: (len(key), key)):
        node = graph[node_id]
        known = schema[node["class_type"]].inputs if node["class_type"] in schema else {}
        names = [name for name in known if name in node["inputs"]]
        inputs = {name: node["inputs"][name] for name in dict.fromkeys([*names, *node["inputs"]])}
        ordered[node_id] = {"class_type": node["class_type"], "inputs": inputs}
        if "_meta" in node:
            ordered[node_id]["_meta"] = node["_meta"]
    return ordered


def _name_models(files: list[Path], schema: Schema) -> None:
    """Write into the slots file which model files the graph loads."""
    workflow = load_workflow(files[-1])
    used = sorted(used_models(workflow, schema))
    slots = _read(files[0])
    slots["models"] = [{"folder": folder, "file": file} for folder, file in used]
    files[0].write_text(_json(slots), encoding="utf-8")


def _refuse_unfit(folder: Path, graph: Path, schema: Schema, models: Models) -> None:
    problems = sorted(check_workflow(folder, graph, schema, models))
    if problems:
        raise ReleaseRefused([str(problem) for problem in problems])


def _refuse_unchanged(last: Workflow, files: list[Path]) -> None:
    old = last.source
    before = [old.with_suffix(".slots.json"), old.with_suffix(".ui.json"), old]
    contents = [[_read(path) for path in paths] for paths in (before, files)]
    for slots, *_ in contents:
        del slots["version"]
    if contents[0] == contents[1]:
        raise ReleaseRefused([f"nothing changed since {last.label}"])


def _install(folder: Path, staged: Path, files: list[Path]) -> None:
    names = [path.relative_to(staged).as_posix() for path in files]
    released = read_released(folder) | {n: sha256_of(staged / n) for n in names}
    (staged / RELEASED_NAME).write_text(_released_text(released), encoding="utf-8")
    target = folder / RELEASED_NAME
    before = target.read_bytes() if target.exists() else None
    (folder / names[0]).parent.mkdir(exist_ok=True)
    placed: list[Path] = []
    try:
        for name in [*names[:-1], RELEASED_NAME, names[-1]]:
            placed.append((staged / name).replace(folder / name))
    except BaseException:
        for path in placed:
            path.unlink()
        if target in placed and before is not None:
            target.write_bytes(before)
        raise


def _released_text(released: Mapping[str, str]) -> str:
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(released.items()))


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WorkflowInvalid(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise WorkflowInvalid(f"{path}: not readable as JSON: {error}") from error


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
