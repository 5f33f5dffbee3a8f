"""What changed between two versions of a workflow, in words. Pure."""

from collections.abc import Iterator
from typing import Any

from handler.graph import Graph, Workflow
from handler.slots import SlotsFile
from handler.workflows.fit import is_link

_SHOWN = 120


def differences(old: Workflow, new: Workflow) -> list[str]:
    """Return one sentence for each change of the graph, the slots, the outputs and the model
    files; none if there is none."""
    return [*_graph(old.graph, new.graph), *_spec(old.spec, new.spec)]


def _graph(old: Graph, new: Graph) -> Iterator[str]:
    for node_id in old:
        if node_id not in new:
            yield f"removed: {_name(old, node_id)}"
    for node_id in new:
        if node_id not in old:
            yield f"added: {_name(new, node_id)}"
            yield from _inputs_of_added(new, node_id)
        elif new[node_id] != old[node_id]:
            yield from _node(old, new, node_id)


def _node(old: Graph, new: Graph, node_id: str) -> Iterator[str]:
    before, after = old[node_id], new[node_id]
    if before["class_type"] != after["class_type"]:
        yield f"{_name(old, node_id)} is now a {after['class_type']}"
    if _title(before) != _title(after):
        yield f"{_name(old, node_id)} is now called {_title(after)!r}"
    name = _name(new, node_id)
    for key in sorted({*before["inputs"], *after["inputs"]}):
        was, now = before["inputs"].get(key), after["inputs"].get(key)
        if was == now:
            continue
        if key not in before["inputs"]:
            yield f"{name}: {key} is new: {_value(new, now)}"
        elif key not in after["inputs"]:
            yield f"{name}: {key} is gone; it was {_value(old, was)}"
        else:
            verb = "rewired" if is_link(was) and is_link(now) else "changed"
            yield f"{name}: {key} {verb} from {_value(old, was)} to {_value(new, now)}"


def _inputs_of_added(graph: Graph, node_id: str) -> Iterator[str]:
    for key, value in graph[node_id]["inputs"].items():
        if is_link(value):
            yield f"{_name(graph, node_id)}: {key} comes from {_value(graph, value)}"


def _spec(old: SlotsFile, new: SlotsFile) -> Iterator[str]:
    for name, slot in old.slots.items():
        if name not in new.slots:
            yield f"slot {name!r} is gone"
            continue
        before, after = slot.model_dump(), new.slots[name].model_dump()
        for field in before:
            if before[field] != after[field]:
                was, now = _shown(before[field]), _shown(after[field])
                yield f"slot {name!r}: {field} changed from {was} to {now}"
    for name, slot in new.slots.items():
        if name not in old.slots:
            need = "required" if slot.required else "optional"
            yield f"slot {name!r} is new: {slot.type}, {need}"
    for name in sorted({*old.outputs, *new.outputs}):
        places = [spec.outputs[name].node if name in spec.outputs else None for spec in (old, new)]
        if places[0] != places[1]:
            words = ["none" if place is None else f"node {place}" for place in places]
            yield f"output {name!r} changed from {words[0]} to {words[1]}"
    if old.label != new.label:
        yield f"label changed from {old.label!r} to {new.label!r}"
    files = [{f"{model.folder}/{model.file}" for model in spec.models} for spec in (old, new)]
    yield from (f"model file no longer needed: {file}" for file in sorted(files[0] - files[1]))
    yield from (f"model file needed: {file}" for file in sorted(files[1] - files[0]))
    packs = [set(spec.node_packs) for spec in (old, new)]
    yield from (f"node pack no longer needed: {pack}" for pack in sorted(packs[0] - packs[1]))
    yield from (f"node pack needed: {pack}" for pack in sorted(packs[1] - packs[0]))


def _name(graph: Graph, node_id: str) -> str:
    node = graph[node_id]
    return f"{_title(node)!r} (node {node_id}, {node['class_type']})"


def _title(node: dict[str, Any]) -> str:
    return str(node.get("_meta", {}).get("title") or node["class_type"])


def _value(graph: Graph, value: Any) -> str:
    if is_link(value):
        return f"output {value[1]} of {_title(graph[value[0]])!r} (node {value[0]})"
    return _shown(value)


def _shown(value: Any) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
