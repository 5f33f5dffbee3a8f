"""What is done when a page doesn't come out of ComfyUI.

ComfyUI died of the page        once more; died of it again: the page is poisoned
it died of something else       again, a few times, since the page has no part in it
it doesn't answer               the same
somebody interrupted the page   the same
the page made no progress       once more; none again: the page fails
the GPU's memory was full       once more with all of it free; full again: the page fails
ComfyUI can't be booted         again, a few times; then no page can succeed here
anything else                   the page fails: another try would end the same way
"""

import logging
from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from handler.errors import (
    ComfyBootFailed,
    ComfyDied,
    ComfyError,
    ComfyStalled,
    ComfyUnreachable,
    GpuOutOfMemory,
    PoisonedPage,
    PromptInterrupted,
)
from handler.graph import FilledGraph
from handler.ports import Clock, Comfy, Rendered, Step

_FREE_S = 0.5  # ComfyUI frees memory between two graphs, or in a moment if it is idle

log = logging.getLogger(__name__)


class _Fault(Enum):
    """The rows of the table."""

    DEATH = auto()
    BLAMELESS = auto()
    STALL = auto()
    MEMORY = auto()
    BOOT = auto()
    OWN = auto()


_LIMITS = {
    _Fault.DEATH: 2,
    _Fault.BLAMELESS: 6,
    _Fault.STALL: 2,
    _Fault.MEMORY: 2,
    _Fault.BOOT: 3,
    _Fault.OWN: 1,
}
"""How many failures of a kind end a page."""

_DOUBTFUL = frozenset({_Fault.BLAMELESS, _Fault.MEMORY, _Fault.BOOT})
"""A page that fails of one of these says more of the machine than of itself."""


class Recovery:
    """Renders the graphs of one job; several may be under way at once."""

    def __init__(self, comfy: Comfy, clock: Clock, job_id: str) -> None:
        self._comfy = comfy
        self._clock = clock
        self._job_id = job_id
        self._doubtful = False

    @property
    def doubtful(self) -> bool:
        """Whether this machine may fail the next job too, so that a fresh one is better."""
        return self._doubtful

    async def render(
        self, graph: FilledGraph, on_step: Callable[[Step], None], **tags: Any
    ) -> Rendered:
        """Render a graph, and again where that can help. ``tags`` go into logs.

        Raises:
            ComfyError: any of its kinds.
        """
        failures: Counter[_Fault] = Counter()
        while True:
            try:
                if failures:
                    await self._comfy.ensure_running()
                return await self._comfy.render(graph, on_step)
            except ComfyError as error:
                fault = self._counted(error, failures)
                text = f"rendering again after {type(error).__name__}: {error}"
            log.warning(text, extra={"job_id": self._job_id, **tags})
            if fault is _Fault.MEMORY:
                await self._free()

    def _counted(self, error: ComfyError, failures: Counter[_Fault]) -> _Fault:
        """Take note of a failure of a page; raise if it was the last that it may have."""
        fault = _fault_of(error)
        failures[fault] += 1
        if failures[fault] < _LIMITS[fault]:
            return fault
        self._doubtful |= fault in _DOUBTFUL
        if fault is _Fault.DEATH:
            times = _LIMITS[fault]
            raise PoisonedPage(f"ComfyUI died {times} times while it rendered this page") from error
        raise error

    async def _free(self) -> None:
        try:
            await self._comfy.free()
        except ComfyUnreachable as error:
            log.warning("the GPU's memory can't be freed: %s", error)  # the next try will tell
        await self._clock.sleep(_FREE_S)


def _fault_of(error: ComfyError) -> _Fault:
    match error:
        case ComfyDied(blamed=True):
            return _Fault.DEATH
        case ComfyDied() | ComfyUnreachable() | PromptInterrupted():
            return _Fault.BLAMELESS
        case ComfyStalled():
            return _Fault.STALL
        case GpuOutOfMemory():
            return _Fault.MEMORY
        case ComfyBootFailed():
            return _Fault.BOOT
        case _:
            return _Fault.OWN
