"""Follows one prompt through its events. Pure: no clock, no network."""

from collections.abc import Mapping

from handler.comfy.events import (
    Event,
    Executing,
    ExecutionCached,
    ExecutionFailed,
    ExecutionInterrupted,
    ExecutionStarted,
    NodeExecuted,
    NodeProgress,
    Other,
    Status,
)
from handler.errors import ComfyError, GpuOutOfMemory, NodeFailed, PromptInterrupted
from handler.ports import Step

_SHOWN_CHARACTERS = 500
_OUT_OF_MEMORY = "OutOfMemoryError"  # torch's; older ones have it in torch.cuda
_MEMORY_SIGNS = (
    "Allocation on device",
    "CUDA out of memory",
    "you ran out of memory on your GPU",  # ComfyUI's advice, whatever the exception
)


class PromptTracker:
    """The state of a prompt. ``started`` once it left the queue; ``ended`` once its history is
    written, which is later than success, failure or interruption is announced; ``cached`` are the
    nodes that needn't run."""

    def __init__(self, prompt_id: str, titles: Mapping[str, str]) -> None:
        self.started = False
        self.ended = False
        self.cached: frozenset[str] = frozenset()
        self._prompt_id = prompt_id
        self._titles = titles
        self._done: set[str] = set()
        self._running: str | None = None
        self._within = 0.0
        self._error: ComfyError | None = None

    def concerns(self, event: Event) -> bool:
        """Whether an event is one of this prompt."""
        return not isinstance(event, Status | Other) and event.prompt_id == self._prompt_id

    def feed(self, event: Event) -> Step | None:
        """Take the next event; return how far the prompt is if the event says something new.

        Events of other prompts change nothing, nor do those that were fed before.
        """
        if not self.concerns(event):
            return None
        match event:
            case ExecutionStarted():
                self.started = True
            case ExecutionCached(nodes=nodes):
                self.cached = frozenset(nodes)
                self._done.update(nodes)
            case Executing(node=None):
                self.ended = True
            case Executing(node=str(node)):
                return self._begin(node)
            case NodeExecuted(node=node):
                self._done.add(node)
            case NodeProgress():
                return self._count(event)
            case ExecutionFailed():
                self._error = self._failure(event)
            case ExecutionInterrupted(node=node):
                self._error = PromptInterrupted("the prompt was interrupted", node=node or None)
        return None

    def raise_for_error(self) -> None:
        """Raise what ended the prompt, if it wasn't success.

        Raises:
            NodeFailed, GpuOutOfMemory, PromptInterrupted.
        """
        if self._error is not None:
            raise self._error

    def _begin(self, node: str) -> Step:
        if self._running is not None:
            self._done.add(self._running)
        self._running, self._within = node, 0.0
        return Step(self._fraction(), self._title(node))

    def _count(self, event: NodeProgress) -> Step | None:
        if event.maximum <= 0 or not 0 <= event.value <= event.maximum:
            return None
        self._running, self._within = event.node, event.value / event.maximum
        if event.maximum <= 1:  # ComfyUI counts every node from 0 to 1: that is no count of steps
            return Step(self._fraction(), self._title(event.node))
        step, steps = int(event.value), int(event.maximum)
        return Step(self._fraction(), self._title(event.node), step, steps)

    def _fraction(self) -> float:
        running = self._within if self._running not in self._done else 0.0
        return min(1.0, (len(self._done) + running) / max(1, len(self._titles)))

    def _title(self, node: str) -> str:
        return self._titles.get(node, node)

    def _failure(self, event: ExecutionFailed) -> NodeFailed | GpuOutOfMemory:
        reason = " ".join(event.exception_message.split())[:_SHOWN_CHARACTERS]
        kind = event.exception_type.rpartition(".")[2]  # a node pack's module is a path on the disk
        where = f"node {event.node} ({self._title(event.node)}, {event.node_type})"
        if kind == _OUT_OF_MEMORY or any(s in event.exception_message for s in _MEMORY_SIGNS):
            return GpuOutOfMemory(f"{where} ran out of the GPU's memory", node=event.node)
        return NodeFailed(
            f"{where} raised {kind}: {reason}",
            node=event.node,
            exception_message=event.exception_message,
        )
