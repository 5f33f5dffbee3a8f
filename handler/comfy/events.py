"""ComfyUI's WebSocket messages as typed events. Pure: bytes in, events out."""

import json
from dataclasses import dataclass
from typing import Any


class MalformedEvent(ValueError):
    """A message that isn't JSON of the form its type promises."""


@dataclass(frozen=True)
class Status:
    """The length of the queue changed, or the connection was greeted."""

    queue_remaining: int | None


@dataclass(frozen=True)
class ExecutionStarted:
    """A prompt left the queue."""

    prompt_id: str


@dataclass(frozen=True)
class ExecutionCached:
    """These nodes needn't run again."""

    prompt_id: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Executing:
    """A node began; with ``node`` None the prompt has ended and its history is written."""

    prompt_id: str
    node: str | None


@dataclass(frozen=True)
class NodeProgress:
    """A running node's own count, 0 ≤ value ≤ maximum."""

    prompt_id: str
    node: str
    value: float
    maximum: float


@dataclass(frozen=True)
class NodeExecuted:
    """An output node is done, by running or from the cache."""

    prompt_id: str
    node: str


@dataclass(frozen=True)
class ExecutionSucceeded:
    """Every node is done. The history isn't written yet."""

    prompt_id: str


@dataclass(frozen=True)
class ExecutionFailed:
    """A node raised an exception."""

    prompt_id: str
    node: str
    node_type: str
    exception_type: str
    exception_message: str


@dataclass(frozen=True)
class ExecutionInterrupted:
    """Somebody interrupted the prompt."""

    prompt_id: str
    node: str


@dataclass(frozen=True)
class Other:
    """A message that we have no use for: ``binary`` previews, or a type of a newer ComfyUI."""

    type: str


Event = (
    Status
    | ExecutionStarted
    | ExecutionCached
    | Executing
    | NodeProgress
    | NodeExecuted
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionInterrupted
    | Other
)


def parse_event(raw: str | bytes) -> Event:
    """Return the event in a text or binary WebSocket message.

    Raises:
        MalformedEvent: the only exception, whatever the message.
    """
    if isinstance(raw, bytes):
        return Other("binary")
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError):
        raise MalformedEvent("not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise MalformedEvent("no type")
    return typed_event(message["type"], message.get("data"))


def typed_event(kind: str, data: Any) -> Event:
    """Return the event of a message's type and data; the history keeps messages in this form.

    Raises:
        MalformedEvent: the only exception, whatever the data.
    """
    if kind not in _KNOWN:
        return Other(kind)
    if not isinstance(data, dict):
        raise MalformedEvent(f"{kind} without data")
    if kind == "executing" and "prompt_id" not in data:
        return Other(kind)  # the greeting of a connection that is opened again: nothing new in it
    return _typed(kind, _Data(kind, data))


_LARGEST = 2**53
_KNOWN = frozenset(
    {
        "status",
        "execution_start",
        "execution_cached",
        "executing",
        "progress",
        "progress_state",
        "executed",
        "execution_success",
        "execution_error",
        "execution_interrupted",
    }
)


class _Data:
    """A message's fields, each of the type it is asked for or an error."""

    def __init__(self, kind: str, fields: dict[str, Any]) -> None:
        self._kind = kind
        self._fields = fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise MalformedEvent(f"{self._kind}: {name} is not a text")
        return value

    def number(self, name: str) -> float:
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MalformedEvent(f"{self._kind}: {name} is not a number")
        if not -_LARGEST <= value <= _LARGEST:  # nor are NaN and infinity, which JSON lets in
            raise MalformedEvent(f"{self._kind}: {name} is no count of anything")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self._fields.get(name) is None else self.text(name)

    def loose_text(self, name: str) -> str:
        """Text for a human, of whatever type it was."""
        value = self._fields.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._fields.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise MalformedEvent(f"{self._kind}: {name} is not a list of texts")
        return tuple(value)

    def mapping(self, name: str) -> dict[str, Any]:
        value = self._fields.get(name)
        if not isinstance(value, dict):
            raise MalformedEvent(f"{self._kind}: {name} is not an object")
        return value


def _typed(kind: str, data: _Data) -> Event:
    if kind == "status":
        return _status(data)
    prompt_id = data.text("prompt_id")
    match kind:
        case "execution_start":
            return ExecutionStarted(prompt_id)
        case "execution_cached":
            return ExecutionCached(prompt_id, data.texts("nodes"))
        case "executing":
            return Executing(prompt_id, data.optional_text("node"))
        case "progress":
            return NodeProgress(
                prompt_id, data.text("node"), data.number("value"), data.number("max")
            )
        case "progress_state":
            return _running_node(prompt_id, data)
        case "executed":
            return NodeExecuted(prompt_id, data.text("node"))
        case "execution_success":
            return ExecutionSucceeded(prompt_id)
        case "execution_interrupted":
            return ExecutionInterrupted(prompt_id, data.loose_text("node_id"))
        case _:
            return ExecutionFailed(
                prompt_id,
                data.text("node_id"),
                data.loose_text("node_type"),
                data.loose_text("exception_type"),
                data.loose_text("exception_message"),
            )


def _status(data: _Data) -> Status:
    status = _Data("status", data.mapping("status"))
    remaining = status.mapping("exec_info").get("queue_remaining")
    return Status(remaining if isinstance(remaining, int) else None)


def _running_node(prompt_id: str, data: _Data) -> Event:
    """The node of a ``progress_state`` that runs. Nodes of the newer API report only this way."""
    for node_id, state in data.mapping("nodes").items():
        if isinstance(state, dict) and state.get("state") == "running":
            fields = _Data("progress_state", state)
            return NodeProgress(prompt_id, node_id, fields.number("value"), fields.number("max"))
    return Other("progress_state")
