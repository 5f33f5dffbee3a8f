"""What one run of a job works with."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from handler.errors import DeadlineExceeded
from handler.graph import FilledGraph
from handler.inputs import JobInputs
from handler.patient_store import PatientStore
from handler.ports import Clock, Comfy, Rendered, Step
from handler.progress import ProgressReporter
from handler.recovery import Recovery


class Engagement:
    """How gaplessly ComfyUI is kept at work for one job."""

    def __init__(self) -> None:
        self._ended: float | None = None

    def idle_ms_before(self, rendered: Rendered) -> float:
        """Take note of a graph that has been executed; return for how many milliseconds ComfyUI
        had nothing to do before it. That is 0 for the first."""
        if self._ended is None:
            self._ended = rendered.ended
            return 0.0
        idle_s = max(0.0, rendered.began - self._ended)
        self._ended = max(self._ended, rendered.ended)
        return idle_s * 1000


@dataclass(frozen=True)
class Workspace:
    """The parts that one run of a job shares, and ``run``, the folder of its files in ComfyUI."""

    job_id: str
    run: str
    comfy: Comfy
    store: PatientStore
    clock: Clock
    reporter: ProgressReporter
    inputs: JobInputs
    recovery: Recovery
    engagement: Engagement = field(default_factory=Engagement)

    @asynccontextmanager
    async def open(self, deadline_s: float) -> AsyncIterator[None]:
        """Bound the work inside to ``deadline_s`` seconds.

        However it ends, no file of the run is left in ComfyUI's folders.

        Raises:
            DeadlineExceeded.
        """
        try:
            async with asyncio.timeout(deadline_s) as limit:
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeadlineExceeded(f"not done within {deadline_s:g} s") from None
        finally:
            await asyncio.shield(self._tidy_up())

    async def _tidy_up(self) -> None:
        try:
            await self.inputs.close()
        finally:
            await self.comfy.discard(self.run)

    async def render(
        self, graph: FilledGraph, on_step: Callable[[Step], None], **tags: Any
    ) -> Rendered:
        """Render, with what :class:`handler.recovery.Recovery` does about failures. ``tags`` go
        into logs.

        Raises:
            ComfyError.
        """
        return await self.recovery.render(graph, on_step, **tags)
