"""ComfyUI's record of a prompt that has ended. Pure."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.comfy.events import Event, MalformedEvent, typed_event


@dataclass(frozen=True)
class OutputFile:
    """A file that ComfyUI wrote below its output folder."""

    subfolder: str
    name: str


@dataclass(frozen=True)
class History:
    """How a prompt ended: the events that tell its fate, the files of its output nodes, and the
    seconds that its execution took, 0 if it doesn't say."""

    events: tuple[Event, ...]
    files: Mapping[str, OutputFile]
    executed_s: float


def parse_history(entry: Mapping[str, Any]) -> History:
    """Return the history in a prompt's entry. What makes no sense in it is left out."""
    status, outputs = entry.get("status"), entry.get("outputs")
    messages = status.get("messages") if isinstance(status, dict) else None
    pairs = [pair for pair in messages or () if isinstance(pair, list) and len(pair) == 2]
    files = {
        str(node): file
        for node, output in (outputs.items() if isinstance(outputs, dict) else ())
        if isinstance(output, dict) and (file := saved_file(output)) is not None
    }
    return History(tuple(_events(pairs)), files, _seconds(pairs))


def saved_file(output: Mapping[str, Any]) -> OutputFile | None:
    """Return the first file in the output folder that a node's entry in the history names.

    Each kind of node has its own list there: ``images``, ``identities``, and beside them lists of
    other things, such as ``animated: [true]``.
    """
    lists = (value for value in output.values() if isinstance(value, list))
    for item in itertools.chain.from_iterable(lists):
        if isinstance(item, dict) and item.get("type") == "output" and "filename" in item:
            return OutputFile(str(item.get("subfolder", "")), str(item["filename"]))
    return None


def _events(pairs: list[list[Any]]) -> list[Event]:
    events = []
    for kind, data in pairs:
        try:
            events.append(typed_event(str(kind), data))
        except MalformedEvent:
            continue
    return events


def _seconds(pairs: list[list[Any]]) -> float:
    """The seconds between the first and the last message, whose times are in milliseconds."""
    times = [data.get("timestamp") for _, data in pairs if isinstance(data, dict)]
    numbers = [time for time in times if isinstance(time, int | float)]
    return max(0.0, (numbers[-1] - numbers[0]) / 1000) if numbers else 0.0
