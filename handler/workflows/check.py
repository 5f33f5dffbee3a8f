"""Checks a folder of workflows and says everything that is wrong with it. Reads files only."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handler.errors import WorkflowInvalid
from handler.graph import Graph, Workflow, load_workflow
from handler.workflows.fit import Misfit, Models, graph_misfits, model_misfits, slot_misfits
from handler.workflows.schema import STORED_NAME, Schema
from handler.workflows.shortfalls import shortfalls
from handler.workflows.ui_graph import api_graph

RELEASED_NAME = "RELEASED"
_OURS = "Foxetales"
_GRAPH_FILE = re.compile(r"v([1-9][0-9]*)\.json")
_RELEASED_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong where. ``file`` is relative to the workflows folder; ``node`` is its id,
    followed by title and class if known."""

    file: str
    node: str = ""
    input: str = ""
    reason: str = ""

    def __str__(self) -> str:
        place = f", input {self.input!r}" if self.input else ""
        return f"{self.file}: {f'node {self.node}{place}: ' if self.node else ''}{self.reason}"


def check_folder(folder: Path, schema: Schema, models: Models) -> list[Problem]:
    """Return every problem of every workflow in a folder, and of the list of released hashes."""
    problems = set(released_problems(folder))
    graphs = graph_files(folder)
    for path in graphs:
        problems.update(check_workflow(folder, path, schema, models))
    if not graphs:
        problems.add(Problem(".", reason="there is no workflow (<name>/v<N>.json) in this folder"))
    return sorted(problems)


def graph_files(folder: Path) -> list[Path]:
    """The API graphs below a folder of workflows, ``<name>/v<N>.json``, by name and number."""
    found = [
        (path.parent.name, int(match[1]), path)
        for path in folder.glob("*/v*.json")
        if (match := _GRAPH_FILE.fullmatch(path.name))
    ]
    return [path for _, _, path in sorted(found)]


def check_workflow(folder: Path, path: Path, schema: Schema, models: Models) -> Iterator[Problem]:
    """Yield the problems of the workflow whose API graph is ``path``, with its slots and its file
    in the browser's format."""
    name = path.relative_to(folder).as_posix()
    try:
        workflow = load_workflow(path)
    except WorkflowInvalid as error:
        yield Problem(name, reason=str(error).replace(f"{folder}/", ""))
        return
    slots = path.with_suffix(".slots.json").relative_to(folder).as_posix()
    yield from _placed(name, workflow, graph_misfits(workflow.graph, schema))
    yield from _placed(slots, workflow, slot_misfits(workflow, schema))
    yield from _placed(name, workflow, model_misfits(workflow, schema, models))
    for model in workflow.spec.models:
        if (model.folder, model.file) not in models:
            reason = f"{model.folder}/{model.file} is not in the model list"
            yield Problem(slots, reason=reason)
    yield from _browser_problems(folder, workflow, schema)


def graph_differences(shown: Graph, run: Graph, schema: Schema) -> Iterator[Misfit]:
    """Yield where the graph that the browser shows is not the graph that is run.

    An optional input that the node class got after the release is no difference: the browser
    sends its default, the older graph leaves it out.
    """
    for node_id in sorted({*shown, *run}):
        if node_id not in run:
            yield Misfit(node_id, None, "it is in the browser's file alone")
        elif node_id not in shown:
            yield Misfit(node_id, None, "it is not in the browser's file, or muted there")
        else:
            yield from _node_differences(node_id, shown[node_id], run[node_id], schema)


def released_problems(folder: Path) -> Iterator[Problem]:
    """Yield the files that differ from their released hash, are gone, or aren't released."""
    try:
        released = read_released(folder)
    except WorkflowInvalid as error:
        yield Problem(RELEASED_NAME, reason=str(error))
        return
    for name, digest in released.items():
        path = folder / name
        if not path.is_file():
            yield Problem(name, reason="this released file is gone")
        elif sha256_of(path) != digest:
            yield Problem(name, reason="this released file has changed: release a new version")
    for path in sorted(folder.glob("*/*.json")):
        name = path.relative_to(folder).as_posix()
        if name not in released:
            yield Problem(name, reason=f"this file is not in {RELEASED_NAME}")


def read_released(folder: Path) -> dict[str, str]:
    """Return file → sha256 of every released file; empty if nothing was released yet.

    Raises:
        WorkflowInvalid: a line has another form.
    """
    path = folder / RELEASED_NAME
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    released = {}
    for number, line in enumerate(lines, start=1):
        match = _RELEASED_LINE.fullmatch(line)
        if match is None:
            raise WorkflowInvalid(f"line {number}: expected 'sha256  file'")
        released[match[2]] = match[1]
    return released


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def schema_problems(stored: Schema, live: Schema) -> Iterator[Problem]:
    """Yield which node classes of the stored schema a ComfyUI lacks or has with less; of our own,
    which are of this very revision, every difference."""
    for name, node in stored.items():
        lacks = list(shortfalls(node, live.get(name)))
        if not lacks and name.startswith(_OURS) and live[name] != node:
            lacks = ["it has changed"]
        for reason in lacks:
            yield Problem(STORED_NAME, reason=f"{name}: {reason}; see `schema --boot`")


def _browser_problems(folder: Path, workflow: Workflow, schema: Schema) -> Iterator[Problem]:
    path = workflow.source.with_suffix(".ui.json")
    name = path.relative_to(folder).as_posix()
    try:
        ui: Any = json.loads(path.read_text(encoding="utf-8"))
        shown = api_graph(ui, schema)
    except OSError as error:
        yield Problem(name, reason=f"not readable: {error.strerror}")
    except ValueError as error:
        yield Problem(name, reason=f"not readable as JSON: {error}")
    except WorkflowInvalid as error:
        yield Problem(name, reason=str(error))
    else:
        yield from _placed(name, workflow, graph_differences(shown, workflow.graph, schema))


def _node_differences(node_id: str, shown: Any, run: Any, schema: Schema) -> Iterator[Misfit]:
    if shown["class_type"] != run["class_type"]:
        reason = f"it is a {shown['class_type']} in the browser's file"
        yield Misfit(node_id, None, reason)
        return
    title = run.get("_meta", {}).get("title", shown["_meta"]["title"])
    if shown["_meta"]["title"] != title:
        yield Misfit(node_id, None, f"its title is {shown['_meta']['title']!r} in the browser")
    inputs, others = shown["inputs"], run["inputs"]
    later = _later_inputs(shown, run, schema)
    for name in sorted({*inputs, *others} - later):
        if name not in others or name not in inputs:
            where = "the browser's file" if name in inputs else "the API file"
            yield Misfit(node_id, name, f"it is in {where} alone")
        elif inputs[name] != others[name]:
            yield Misfit(node_id, name, f"{inputs[name]!r} in the browser, {others[name]!r} run")


def _later_inputs(shown: Any, run: Any, schema: Schema) -> set[str]:
    """Optional inputs that only the browser sends, with their defaults."""
    described = schema.get(run["class_type"])
    if described is None:
        return set()
    return {
        name
        for name, value in shown["inputs"].items()
        if name not in run["inputs"]
        and name in described.inputs
        and not described.inputs[name].required
        and value == described.inputs[name].default
    }


def _placed(file: str, workflow: Workflow, misfits: Iterable[Misfit]) -> Iterator[Problem]:
    for misfit in misfits:
        node = workflow.graph.get(misfit.node)
        about = misfit.node
        if node is not None:
            title = node.get("_meta", {}).get("title") or node["class_type"]
            about = f"{misfit.node} ({title}, {node['class_type']})"
        yield Problem(file, about, misfit.input or "", misfit.reason)
