"""What the worker needs of the world around it."""

from collections.abc import Callable
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
    """A finished graph: the bytes of its output file, whatever its workflow makes, and milliseconds
    waited for and spent executing."""

    data: bytes
    queue_ms: float
    render_ms: float


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
        """Execute ``graph``. ``on_step`` is called on the event loop. Cancelling interrupts it.

        Raises:
            ComfyError: any of its kinds but ComfyBootFailed.
        """

    async def discard(self, run: str) -> None:
        """Remove every input and output file of ``run``. Never raises."""


class ObjectStore(Protocol):
    """Objects by key; both stores in ``storage`` fit."""

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Write an object whole or not at all; raises ``storage.errors``."""

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
