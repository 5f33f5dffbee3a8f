"""What one run of a job works with."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from handler.errors import ComfyDied, DeadlineExceeded
from handler.graph import FilledGraph
from handler.inputs import JobInputs
from handler.ports import Clock, Comfy, ObjectStore, Rendered, Step
from handler.progress import ProgressReporter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workspace:
    """The parts that one run of a job shares, and ``run``, the folder of its files in ComfyUI."""

    job_id: str
    run: str
    comfy: Comfy
    store: ObjectStore
    clock: Clock
    reporter: ProgressReporter
    inputs: JobInputs

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
            await self.inputs.close()
            await asyncio.shield(self.comfy.discard(self.run))

    async def render(
        self, graph: FilledGraph, on_step: Callable[[Step], None], **tags: Any
    ) -> Rendered:
        """Render, and once more on a fresh ComfyUI if the first died of it. ``tags`` go into logs.

        Raises:
            ComfyError.
        """
        try:
            return await self.comfy.render(graph, on_step)
        except ComfyDied:
            log.warning("ComfyUI died; rendering again", extra={"job_id": self.job_id, **tags})
            await self.comfy.ensure_running()
            return await self.comfy.render(graph, on_step)
