"""What the worker needs of the world around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contract.result import JobResult, Progress
from handler.graph import FilledGraph


@dataclass(frozen=True)
class Step:
    """How far a graph has come. ``fraction`` is 0–1 over its nodes; ``step`` of ``steps`` is the
    running node's own count, if it has one."""

    fraction: float
    title: str
    step: int | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Rendered:
    """A finished graph.

    ``data`` is its output file, whatever its workflow makes. ``queue_ms`` went by between
    submission and the start of its execution, ``render_ms`` until its end. ``began`` and ``ended``
    are the monotonic times, in seconds, of its first node's begin and its last node's end.
    ``node_ms`` maps node classes to milliseconds, summed; nodes from the cache aren't in it.
    """

    data: bytes
    queue_ms: float
    render_ms: float
    began: float
    ended: float
    node_ms: Mapping[str, float]


class Comfy(Protocol):
    """A ComfyUI that renders graphs."""

    async def ensure_running(self) -> None:
        """Boot it if it isn't there.

        Raises:
            ComfyBootFailed: it didn't become ready.
        """

    async def stage(self, run: str, name: str, data: bytes) -> str:
        """Make ``data`` an input file of ``run``; return the name that nodes take."""

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        """Execute ``graph``, after every graph that was given before and isn't done.

        ``on_step`` is called on the event loop. Cancelling takes the graph out of the queue, or
        interrupts it, and no other. A ComfyUI that isn't there is booted first.

        Raises:
            ComfyError: any of its kinds.
        """

    async def free(self) -> None:
        """Unload every model and give the memory back, before the next graph is executed.

        Raises:
            ComfyUnreachable.
        """

    async def settle(self) -> None:
        """Take what is loaded out of the garbage collector, if that is worth it: nothing is done
        if no graph was rendered since the last time, or if it isn't running.

        Raises:
            ComfyError: any of its kinds.
        """

    async def discard(self, run: str) -> None:
        """Remove every input and output file of ``run``. Never raises."""


class ObjectStore(Protocol):
    """Objects by key; both stores in ``storage`` fit."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole or not at all; raises ``storage.errors``."""

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        """Write an object unless there is one; return whether it was written; raises
        ``storage.errors``."""

    def get(self, key: str, max_bytes: int) -> bytes:
        """Return an object; raises ``storage.errors``."""


class ProgressSink(Protocol):
    """Where the messages of a job go. Neither method raises, whatever is at the other end."""

    async def send_progress(self, progress: Progress) -> None:
        """Try once, for a short time."""

    async def send_result(self, result: JobResult) -> None:
        """Try once for a short time; go on trying in the background if that failed."""


class Clock(Protocol):
    """Time."""

    def now(self) -> datetime:
        """The time of day, timezone-aware."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    async def sleep(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
