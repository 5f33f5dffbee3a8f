"""Where the time of a prompt goes. Pure: times are handed in, monotonic, in seconds."""

from collections.abc import Mapping

from handler.comfy.events import (
    Event,
    Executing,
    ExecutionFailed,
    ExecutionInterrupted,
    ExecutionStarted,
    ExecutionSucceeded,
)


class PromptTimes:
    """Takes a prompt's events with the times when they came. ``classes`` maps nodes to their
    classes, ``submitted`` is when ComfyUI took it. If events are missed, a node is credited with
    the time of those after it."""

    def __init__(self, classes: Mapping[str, str], submitted: float) -> None:
        self.node_ms: dict[str, float] = {}
        self._classes = classes
        self.submitted = submitted
        self._started: float | None = None
        self._began: float | None = None
        self._ended: float | None = None
        self._running: tuple[str, float] | None = None

    @property
    def started(self) -> float:
        """When its execution started; the time of its submission until that is known."""
        return self.submitted if self._started is None else self._started

    @property
    def began(self) -> float:
        """When its first node began; if none had to be executed, when its execution started."""
        return self.started if self._began is None else self._began

    @property
    def ended(self) -> float:
        """When its last node ended; the time when it began until that is known."""
        return self.began if self._ended is None else self._ended

    @property
    def queue_ms(self) -> float:
        """Milliseconds from submission to the start of its execution."""
        return (self.started - self.submitted) * 1000

    @property
    def render_ms(self) -> float:
        """Milliseconds from the start of its execution to its end."""
        return (self.ended - self.started) * 1000

    def feed(self, event: Event, at: float) -> None:
        """Take an event of this prompt. The first one to tell of a moment counts."""
        match event:
            case ExecutionStarted():
                if self._started is None:
                    self._started = max(self.submitted, at)
            case Executing(node=str(node)):
                self._count(at)
                self._running = (node, at)
                if self._began is None:
                    self._began = at
            case Executing() | ExecutionSucceeded() | ExecutionFailed() | ExecutionInterrupted():
                self._count(at)
                if self._ended is None:
                    self._ended = at

    def _count(self, at: float) -> None:
        if self._running is None:
            return
        node, since = self._running
        name = self._classes.get(node, node)
        self.node_ms[name] = self.node_ms.get(name, 0.0) + (at - since) * 1000
        self._running = None
