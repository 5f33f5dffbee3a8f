"""The Comfy port on a process of our own."""

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable

from handler.comfy.client import ComfyClient, EventStream
from handler.comfy.events import MalformedEvent
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyProcess
from handler.comfy.tracker import PromptTracker
from handler.errors import ComfyDied, ComfyError, ComfyUnreachable, PromptInterrupted
from handler.graph import FilledGraph
from handler.ports import Clock, Rendered, Step

_POLL_S = 0.25
_DEATH_S = 2.0  # a closed connection comes before the end of the process by this much at most
_CANCEL_S = 10.0

log = logging.getLogger(__name__)


class ComfyEngine:
    """Renders graphs on one ComfyUI. Its methods are for the event loop; what blocks runs in
    threads."""

    def __init__(
        self, process: ComfyProcess, files: ComfyFiles, clock: Clock, quiet_timeout_s: float
    ) -> None:
        self._process = process
        self._files = files
        self._clock = clock
        self._quiet_timeout_s = quiet_timeout_s

    async def ensure_running(self) -> None:
        """See :class:`handler.ports.Comfy`."""
        await asyncio.to_thread(self._process.ensure_running)

    async def stage(self, run: str, name: str, data: bytes) -> str:
        """See :class:`handler.ports.Comfy`."""
        return await asyncio.to_thread(self._files.stage, run, name, data)

    async def discard(self, run: str) -> None:
        """See :class:`handler.ports.Comfy`."""
        await asyncio.to_thread(self._files.discard, run)

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        """See :class:`handler.ports.Comfy`."""
        loop = asyncio.get_running_loop()
        stop = threading.Event()

        def notify(step: Step) -> None:
            loop.call_soon_threadsafe(on_step, step)

        work = asyncio.ensure_future(asyncio.to_thread(self._render, graph, stop, notify))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await self._settle(work)
            raise

    async def _settle(self, work: "asyncio.Future[Rendered]") -> None:
        """Wait until a cancelled prompt is gone; a ComfyUI that won't let go of it is stopped."""
        work.add_done_callback(_let_go)
        done, _ = await asyncio.wait({work}, timeout=_CANCEL_S)
        if not done:
            await asyncio.to_thread(self._process.stop)
            await asyncio.wait({work}, timeout=_CANCEL_S)

    def _render(
        self, graph: FilledGraph, stop: threading.Event, notify: Callable[[Step], None]
    ) -> Rendered:
        prompt_id, client_id = uuid.uuid4().hex, uuid.uuid4().hex
        client = self._process.ensure_running()
        try:
            with client.events(client_id) as events:
                client.submit(graph, prompt_id=prompt_id, client_id=client_id)
                prompt = _Prompt(prompt_id, graph, client, events, self._clock)
                queue_ms, render_ms = prompt.follow(stop, notify, self._quiet_timeout_s)
            try:
                output = client.output_file(prompt_id, graph.output_node)
            finally:
                client.forget(prompt_id)
        except ComfyUnreachable:
            if self._process.wait_for_exit(_DEATH_S):
                raise ComfyDied("ComfyUI's process ended while rendering") from None
            self._process.stop()  # it lives but is of no use: the next page gets a fresh one
            raise
        return Rendered(self._files.take_output(output.subfolder, output.name), queue_ms, render_ms)


def _let_go(work: "asyncio.Future[Rendered]") -> None:
    """Take note of how a cancelled prompt ended, which nobody else waits for."""
    error = None if work.cancelled() else work.exception()
    if error is not None and not isinstance(error, PromptInterrupted):
        log.warning("a cancelled prompt ended with %s: %s", type(error).__name__, error)


class _Prompt:
    """A submitted prompt, followed to its end."""

    def __init__(
        self,
        prompt_id: str,
        graph: FilledGraph,
        client: ComfyClient,
        events: EventStream,
        clock: Clock,
    ) -> None:
        self._id = prompt_id
        self._client = client
        self._events = events
        self._clock = clock
        self._tracker = PromptTracker(prompt_id, graph.titles)

    def follow(
        self, stop: threading.Event, notify: Callable[[Step], None], quiet_timeout_s: float
    ) -> tuple[float, float]:
        """Return the milliseconds spent in the queue and executing.

        Raises:
            NodeFailed, PromptInterrupted, ComfyUnreachable.
        """
        submitted = last_sign = self._clock.monotonic()
        started: float | None = None
        while not self._tracker.ended:
            if stop.is_set():
                self._abandon()
            heard, step = self._listen()
            now = self._clock.monotonic()
            if heard:
                last_sign = now
            elif now - last_sign > quiet_timeout_s:
                raise ComfyUnreachable(f"no sign of life for {quiet_timeout_s:g} s")
            if started is None and self._tracker.started:
                started = now
            if step is not None:
                notify(step)
        try:
            self._tracker.raise_for_error()
        except ComfyError:
            self._client.forget(self._id)
            raise
        ended = self._clock.monotonic()
        started = submitted if started is None else started
        return (started - submitted) * 1000, (ended - started) * 1000

    def _listen(self) -> tuple[bool, Step | None]:
        try:
            event = self._events.next(_POLL_S)
        except MalformedEvent as error:
            log.warning("ComfyUI sent a malformed event: %s", error)
            return True, None
        return (False, None) if event is None else (True, self._tracker.feed(event))

    def _abandon(self) -> None:
        """Take the prompt back, wait until it is gone, and say so by raising."""
        deadline = self._clock.monotonic() + _CANCEL_S
        self._client.cancel(self._id)
        while self._client.is_queued(self._id) and self._clock.monotonic() < deadline:
            self._listen()  # paces the loop
        self._client.forget(self._id)
        raise PromptInterrupted("the prompt was cancelled")
