"""ComfyUI's answers to ``POST /prompt`` that say no, as one typed error. Pure."""

from collections.abc import Mapping
from typing import Any

from handler.errors import PromptRejected

_SHOWN_CHARACTERS = 300


def rejection_of(body: Any, titles: Mapping[str, str]) -> PromptRejected | None:
    """Return the error that an answer's JSON ``body`` carries, or None if it carries none.

    Errors come with status 400, and also inside a 200 when only some of a graph's outputs are
    invalid: ComfyUI then runs the others. ``titles`` maps node ids to names for people.
    """
    if not isinstance(body, dict):
        return PromptRejected("ComfyUI gave an answer that is no object")
    node_errors = body.get("node_errors")
    if isinstance(node_errors, dict):
        for node_id, report in node_errors.items():
            if isinstance(report, dict):
                return _node_rejection(str(node_id), report, titles)
    error = body.get("error")
    if isinstance(error, dict):
        return _graph_rejection(error, titles)
    if error:
        return PromptRejected(f"the graph was rejected: {_short(error)}")
    return None


def _graph_rejection(error: dict[str, Any], titles: Mapping[str, str]) -> PromptRejected:
    """Newer ComfyUIs say by themselves which node has a class that isn't there."""
    extra = error.get("extra_info")
    node_id = extra.get("node_id") if isinstance(extra, dict) else None
    if not isinstance(extra, dict) or not isinstance(node_id, str):
        return PromptRejected(_sentence("the graph was rejected", error))
    where = _place(node_id, extra.get("class_type"), titles)
    return PromptRejected(_sentence(where, error), node=node_id)


def _node_rejection(
    node_id: str, report: dict[str, Any], titles: Mapping[str, str]
) -> PromptRejected:
    errors = report.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    first = first if isinstance(first, dict) else {}
    extra = first.get("extra_info")
    name = extra.get("input_name") if isinstance(extra, dict) else None
    where = _place(node_id, report.get("class_type"), titles)
    if isinstance(name, str):
        where += f", input {name!r}"
    return PromptRejected(
        _sentence(where, first), node=node_id, input=name if isinstance(name, str) else None
    )


def _place(node_id: str, class_type: Any, titles: Mapping[str, str]) -> str:
    known = "unknown class" if class_type is None else _short(class_type)
    return f"node {node_id} ({titles.get(node_id, known)}, {known})"


def _sentence(where: str, error: dict[str, Any]) -> str:
    parts = [_short(error.get(field, "")) for field in ("type", "message", "details")]
    return f"{where}: " + "; ".join(part for part in parts if part)


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:_SHOWN_CHARACTERS]
