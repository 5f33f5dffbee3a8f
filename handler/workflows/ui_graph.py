"""The browser's format of a graph, turned into the API format by the browser's own rules. Pure.

The rules are those of ComfyUI's frontend 1.32: widget values in the order of the node's inputs,
with the values of its helpers (seed control, upload button) between them, which are not sent;
muted nodes left out; bypassed nodes and reroutes passed through; primitives copied into what they
are linked to. Subgraphs and group nodes are refused: unpack them in the browser first.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from handler.errors import WorkflowInvalid
from handler.graph import Graph
from handler.workflows.schema import COMBO, NodeSchema, Schema

_MUTED, _BYPASSED = 2, 4
_NOTES = frozenset({"Note", "MarkdownNote"})
_REROUTE, _PRIMITIVE = "Reroute", "PrimitiveNode"
_VIRTUAL = _NOTES | {_REROUTE, _PRIMITIVE}
_SEEDS = ("seed", "noise_seed")
_ANY = ("*", "")


def api_graph(ui: Any, schema: Schema) -> Graph:
    """Return what the browser sends for a graph that it shows.

    Raises:
        WorkflowInvalid: it is of another format, has a node class that ``schema`` lacks, or holds
            something whose value the browser only makes up when it sends.
    """
    source = _Browser(ui, schema)
    graph: Graph = {}
    for node in source.sent_nodes():
        described = source.schema_of(node)
        graph[str(node["id"])] = {
            "inputs": source.inputs_of(node, described),
            "class_type": node["type"],
            "_meta": {"title": node.get("title") or described.title},
        }
    return graph


def classes_in(ui: Any) -> set[str]:
    """The node classes of what the browser sends for a graph that it shows.

    Raises:
        WorkflowInvalid: it is of another format.
    """
    return {node["type"] for node in _Browser(ui, {}).sent_nodes()}


def set_widget(ui: dict[str, Any], schema: Schema, node_id: str, name: str, value: Any) -> None:
    """Write a widget's value into a graph in the browser's format, in place.

    Raises:
        WorkflowInvalid: the node or the widget isn't there.
    """
    for node in ui["nodes"]:
        if str(node["id"]) != node_id or node["type"] not in schema:
            continue
        values = node.get("widgets_values")
        if isinstance(values, dict):
            values[name] = value
            return
        for place, (widget, _) in enumerate(_widgets(schema[node["type"]])):
            if widget == name and isinstance(values, list) and place < len(values):
                values[place] = value
                return
    raise WorkflowInvalid(f"node {node_id} has no widget {name!r} in the browser's file")


class _Browser:
    """A graph in the browser's format, with its links followed."""

    def __init__(self, ui: Any, schema: Schema) -> None:
        if not isinstance(ui, dict) or not isinstance(ui.get("nodes"), list):
            raise WorkflowInvalid("this is not the browser's format: it has no list of nodes")
        self._schema = schema
        try:
            self._nodes = {node["id"]: node for node in ui["nodes"]}
            self._links = {link[0]: (link[1], link[2], link[5]) for link in ui.get("links", [])}
        except (TypeError, KeyError, IndexError):
            raise WorkflowInvalid("this is not version 0.4 of the browser's format") from None
        subgraphs = (ui.get("definitions") or {}).get("subgraphs") or []
        packed = {subgraph.get("id") for subgraph in subgraphs}
        for node in self._nodes.values():
            if node["type"] in packed or str(node["type"]).startswith("workflow>"):
                raise WorkflowInvalid(
                    f"node {node['id']} is a subgraph or group node: unpack it in the browser"
                )

    def sent_nodes(self) -> list[dict[str, Any]]:
        """The nodes that are neither muted, bypassed nor there for the browser alone."""
        return [
            node
            for node in self._nodes.values()
            if node["type"] not in _VIRTUAL and node.get("mode", 0) not in (_MUTED, _BYPASSED)
        ]

    def schema_of(self, node: Mapping[str, Any]) -> NodeSchema:
        """The schema of a node's class."""
        try:
            return self._schema[node["type"]]
        except KeyError:
            raise WorkflowInvalid(
                f"node {node['id']} is a {node['type']!r}, which the node schema lacks: "
                "add it by `schema --boot --with`, if workers have it"
            ) from None

    def inputs_of(self, node: Mapping[str, Any], described: NodeSchema) -> dict[str, Any]:
        """A node's inputs as they are sent."""
        inputs = dict(_widget_values(node, described))
        for entry in node.get("inputs") or []:
            if entry.get("link") is None:
                continue
            origin = self._origin(entry["link"])
            if origin is None:
                continue
            source, output = origin
            if source["type"] == _PRIMITIVE:
                inputs[entry["name"]] = source["widgets_values"][0]
            elif source.get("mode", 0) == _MUTED:
                inputs.pop(entry["name"], None)
            else:
                inputs[entry["name"]] = [str(source["id"]), output]
        return inputs

    def _origin(self, link: Any) -> tuple[dict[str, Any], int] | None:
        """Node and output that a link comes from, past bypassed nodes and reroutes."""
        passed = set()
        while link is not None:
            if link in passed:
                raise WorkflowInvalid(f"link {link} goes in a circle")
            passed.add(link)
            node_id, output, kind = self._links.get(link, (None, 0, ""))
            node = self._nodes.get(node_id)
            if node is None:
                raise WorkflowInvalid(f"link {link} starts at a node that is not there")
            if node.get("mode", 0) == _BYPASSED:
                place = _way_through(node, output, kind)
            elif node["type"] == _REROUTE:
                place = 0
            else:
                return node, output
            inputs = node.get("inputs") or []
            link = inputs[place].get("link") if place is not None and place < len(inputs) else None
        return None


def types_fit(source: Any, target: Any) -> bool:
    """Whether an output of one type may be linked to an input of another: equal, a wildcard, or
    one of several (``A,B``)."""
    if source in _ANY or target in _ANY:
        return True
    names = [set(str(kind).lower().split(",")) for kind in (source, target)]
    return bool(names[0] & names[1]) or any("*" in kinds for kinds in names)


def _way_through(node: Mapping[str, Any], output: int, kind: Any) -> int | None:
    """The input that a bypassed node passes on: that of the same place if its type fits, else the
    first of the very type, else the first that fits."""
    inputs = node.get("inputs") or []
    given = node["outputs"][output]["type"]
    if kind in _ANY:
        return output if len(inputs) > output else 0
    fitting = [
        place
        for place, entry in enumerate(inputs)
        if types_fit(entry["type"], given) and types_fit(entry["type"], kind)
    ]
    if output in fitting:
        return output
    exact = [place for place, entry in enumerate(inputs) if entry["type"] == kind]
    return next(iter(exact + fitting), None)


def _widget_values(node: Mapping[str, Any], described: NodeSchema) -> Iterator[tuple[str, Any]]:
    stored = node.get("widgets_values") or []
    for place, (name, sent) in enumerate(_widgets(described)):
        if not sent:
            continue
        spec = described.inputs[name]
        if isinstance(stored, dict):
            value = stored.get(name, spec.default)
        else:
            value = stored[place] if place < len(stored) else spec.default
        if isinstance(value, str):
            _refuse_made_up(node, name, value, dynamic=bool(spec.options.get("dynamicPrompts")))
        yield name, {"__value__": value} if isinstance(value, list) else value


def _widgets(described: NodeSchema) -> Iterator[tuple[str, bool]]:
    """The names of a node's widgets in the order of their values, and whether each is sent."""
    upload = False
    for spec in [*described.inputs.values(), None]:
        if upload and (spec is None or not spec.required):
            yield "upload", False  # the button stands behind the last required input
            upload = False
        if spec is None or not spec.is_widget:
            continue
        yield spec.name, True
        upload = upload or bool(spec.options.get("image_upload"))
        controlled = spec.options.get(
            "control_after_generate", spec.type == "INT" and spec.name in _SEEDS
        )
        if controlled and spec.type in ("INT", COMBO):
            yield "control_after_generate", False
            if spec.type == COMBO:
                yield "control_filter_list", False


def _refuse_made_up(node: Mapping[str, Any], name: str, value: str, *, dynamic: bool) -> None:
    where = f"node {node['id']}, input {name!r}"
    if dynamic and any(sign in value for sign in ("{", "/*", "//")):
        raise WorkflowInvalid(
            f"{where}: the browser takes braces for a choice at random and // or /* for a comment"
        )
    if name == "filename_prefix" and "%" in value:
        raise WorkflowInvalid(f"{where}: the browser replaces what stands between percent signs")
