"""The Comfy port on a process of our own."""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from handler.backoff import Backoff
from handler.comfy.client import ComfyClient
from handler.comfy.files import ComfyFiles
from handler.comfy.follower import Follower
from handler.comfy.line import Line
from handler.comfy.process import ComfyProcess
from handler.comfy.threads import in_own_thread
from handler.errors import ComfyDied, ComfyUnreachable, OutputMissing, PromptInterrupted
from handler.graph import FilledGraph
from handler.pages import RUN_PREFIX
from handler.ports import Clock, Rendered, Step
from handler.settle import settle_graph

_DEATH_S = 2.0  # a closed connection comes before the end of the process by this much at most

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    """One graph on its way. ``stop`` tells its thread to take it back; ``submitted`` is set when
    ComfyUI has it, or won't have it."""

    follower: Follower
    notify: Callable[[Step], None]
    stop: threading.Event = field(default_factory=threading.Event)
    submitted: asyncio.Event = field(default_factory=asyncio.Event)


class ComfyEngine:
    """Renders graphs on one ComfyUI. Its methods are for the event loop; what blocks runs in
    threads.

    ComfyUI is booted when it is needed and isn't there; each time that no page came of it, it waits
    longer before the next boot. See :class:`handler.comfy.follower.Follower` for the two times.
    """

    def __init__(
        self,
        process: ComfyProcess,
        files: ComfyFiles,
        clock: Clock,
        quiet_timeout_s: float,
        let_go_s: float = 10.0,
    ) -> None:
        self._process = process
        self._files = files
        self._clock = clock
        self._quiet_timeout_s = quiet_timeout_s
        self._let_go_s = let_go_s
        self._turn = asyncio.Lock()  # fair: graphs are submitted in the order of the calls
        self._line, self._line_of = Line(), process.client
        self._backoff = Backoff()
        self._boot: asyncio.Task[ComfyClient] | None = None
        # The run of ComfyUI that has rendered a graph since it was freed; and the one that has
        # settled, with whether it had rendered one by then.
        self._loaded: ComfyClient | None = None
        self._settled: tuple[ComfyClient, bool] | None = None

    async def ensure_running(self) -> None:
        """See :class:`handler.ports.Comfy`. Callers at the same time share one boot, and its
        failure."""
        await self._ready()

    async def stage(self, run: str, name: str, data: bytes) -> str:
        """See :class:`handler.ports.Comfy`."""
        return await asyncio.to_thread(self._files.stage, run, name, data)

    async def discard(self, run: str) -> None:
        """See :class:`handler.ports.Comfy`."""
        await asyncio.to_thread(self._files.discard, run)

    async def free(self) -> None:
        """See :class:`handler.ports.Comfy`. A ComfyUI that isn't there holds no memory."""
        self._loaded = self._settled = None
        client = self._process.client
        if client is not None:
            await asyncio.to_thread(client.free)

    async def settle(self) -> None:
        """See :class:`handler.ports.Comfy`. Another boot, or ``free``, makes it worth it again;
        so does the first graph after either, which loads the models."""
        client, loaded = self._process.client, self._loaded
        if client is None or self._settled == (client, client is loaded):
            return
        run = f"{RUN_PREFIX}{secrets.token_hex(8)}"
        try:
            await self.render(settle_graph(run), _ignore)
        finally:
            await self.discard(run)
        self._loaded, self._settled = loaded, (client, client is loaded)

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        """See :class:`handler.ports.Comfy`."""
        loop = asyncio.get_running_loop()

        def notify(step: Step) -> None:
            loop.call_soon_threadsafe(on_step, step)

        async with self._turn:
            client = await self._ready()
            run = _Run(self._follower(client, graph), notify)

            def accepted() -> None:
                loop.call_soon_threadsafe(run.submitted.set)

            work = in_own_thread(lambda: self._render(run, client, accepted), "render")
            work.add_done_callback(lambda _: run.submitted.set())
            async with self._taken_back(run, work, client):
                await run.submitted.wait()
        async with self._taken_back(run, work, client):
            rendered = await asyncio.shield(work)
        self._backoff.reset()
        self._loaded = client
        return rendered

    async def _ready(self) -> ComfyClient:
        """Return a client of the running ComfyUI. Who is cancelled meanwhile lets the boot go on:
        the next job needs it."""
        client = self._process.client
        if client is not None:
            return client
        if self._boot is None:
            self._boot = asyncio.create_task(self._booted())
            self._boot.add_done_callback(self._end_boot)
        return await asyncio.shield(self._boot)

    async def _booted(self) -> ComfyClient:
        await self._clock.sleep(self._backoff.next())
        return await in_own_thread(self._process.ensure_running, "boot")

    def _end_boot(self, boot: "asyncio.Task[ComfyClient]") -> None:
        self._boot = None
        if not boot.cancelled() and boot.exception() is not None:
            log.error("ComfyUI wasn't booted: %s", boot.exception())  # maybe nobody waits for it

    def _follower(self, client: ComfyClient, graph: FilledGraph) -> Follower:
        if client is not self._line_of:  # another run of ComfyUI: nothing waits in it yet
            self._line, self._line_of = Line(), client
        return Follower(
            self._process,
            client,
            self._line,
            self._clock,
            graph,
            quiet_s=self._quiet_timeout_s,
            let_go_s=self._let_go_s,
        )

    @asynccontextmanager
    async def _taken_back(
        self, run: _Run, work: "asyncio.Future[Rendered]", client: ComfyClient
    ) -> AsyncIterator[None]:
        """Take the graph back if the caller is cancelled, and wait until it is gone."""
        try:
            yield
        except asyncio.CancelledError:
            run.stop.set()
            work.add_done_callback(_let_go)
            done, _ = await asyncio.wait({work}, timeout=self._let_go_s)
            if not done:  # it hangs in a request to a ComfyUI that doesn't answer
                await asyncio.to_thread(self._process.kill, client)
                await asyncio.wait({work}, timeout=self._let_go_s)
            raise

    def _render(self, run: _Run, client: ComfyClient, accepted: Callable[[], None]) -> Rendered:
        follower = run.follower
        try:
            try:
                follower.submit()
                accepted()
                output = follower.follow(run.stop, run.notify)
            finally:
                follower.close()
        except ComfyUnreachable:
            if not self._process.wait_for_end(client, _DEATH_S):
                follower.give_up()  # it lives but is of no use: the next graph gets a fresh one
                raise
            raise ComfyDied("ComfyUI's process has ended", blamed=False) from None
        try:
            data = self._files.take_output(output.subfolder, output.name)
        except OutputMissing as error:
            raise follower.missing(error) from error
        times = follower.times
        return Rendered(
            data, times.queue_ms, times.render_ms, times.began, times.ended, times.node_ms
        )


def _ignore(_: Step) -> None:
    """Nobody waits for the progress of settling."""


def _let_go(work: "asyncio.Future[Rendered]") -> None:
    """Take note of how a cancelled prompt ended, which nobody else waits for."""
    error = None if work.cancelled() else work.exception()
    if error is not None and not isinstance(error, PromptInterrupted):
        log.warning("a cancelled prompt ended with %s: %s", type(error).__name__, error)
