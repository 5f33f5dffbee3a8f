"""The real ComfyUI with real faults: killed, frozen, cut off, full, cancelled."""

import asyncio
import copy
import itertools
import os
import random
import signal
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from handler.adapters.clock import SystemClock
from handler.comfy.engine import ComfyEngine
from handler.comfy.files import ComfyFiles
from handler.comfy.process import ComfyProcess
from handler.errors import (
    ComfyDied,
    ComfyStalled,
    GpuOutOfMemory,
    NodeFailed,
    OutputMissing,
    PromptInterrupted,
)
from handler.graph import FilledGraph
from handler.ports import Rendered, Step
from handler.recovery import Recovery
from tests.handler.faults import ProxiedProcess, Proxy, faulty_graph
from tests.handler.tiny import blank_graph, slow_graph

pytestmark = [pytest.mark.anyio, pytest.mark.comfyui]


def filled(graph: dict[str, Any]) -> FilledGraph:
    """The graph in a colour of its own, so that nothing of it is in the cache."""
    graph["paint"]["inputs"]["color"] = random.randrange(2**24)
    titles = {node: value["class_type"] for node, value in graph.items()}
    return FilledGraph(copy.deepcopy(graph), "save", titles)


def ignore(_: Step) -> None:
    """Progress is of no interest."""


def prefix() -> str:
    return f"job_{uuid.uuid4().hex}/page"


def quick() -> FilledGraph:
    graph = blank_graph()
    graph["save"]["inputs"]["filename_prefix"] = prefix()
    return filled(graph)


def slow(nodes: int = 200) -> FilledGraph:
    return filled(slow_graph(prefix(), nodes))


def sleeping(seconds: float) -> FilledGraph:
    return filled(faulty_graph("TestSleep", str(seconds), prefix()))


class Page:
    """A graph being rendered; ``runs`` is set at its first step."""

    def __init__(self, engine: ComfyEngine, graph: FilledGraph) -> None:
        self.runs = asyncio.Event()
        self.steps: list[Step] = []
        self.task: asyncio.Task[Rendered] = asyncio.create_task(engine.render(graph, self._step))

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        self.runs.set()

    async def error(self) -> BaseException | None:
        return (await asyncio.gather(self.task, return_exceptions=True))[0]  # type: ignore[return-value]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is waited for happens in another process
        await asyncio.sleep(0.01)


def queue_length(process: ComfyProcess) -> int:
    queue = process.ensure_running()._get("/queue")
    return len(queue["queue_running"]) + len(queue["queue_pending"])


def port_of(process: ComfyProcess) -> int:
    return int(process.ensure_running()._address.rpartition(":")[2])


def connections_to(port: int) -> int:
    tcp = psutil.Process().net_connections("tcp")
    return sum(bool(c.raddr) and c.raddr.port == port for c in tcp)


def threads() -> list[str]:
    """The threads of pages and proxies; a booted ComfyUI has two without such a name."""
    return [t.name for t in threading.enumerate() if t.name.startswith(("comfy-", "proxy"))]


@pytest.fixture(autouse=True)
async def in_time_and_nothing_left(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> AsyncIterator[None]:
    """Each test has a minute, and leaves no prompt, no history, no thread and no file."""
    await asyncio.to_thread(comfy_process.ensure_running)
    before = {p for p in comfy_files.root.rglob("*") if p.is_file()}
    async with asyncio.timeout(60):
        yield
        await until(lambda: threads() == [])
    client = comfy_process.client
    if client is not None:
        async with asyncio.timeout(10):
            await until(lambda: queue_length(comfy_process) == 0)
        assert client._get("/history") == {}
    left = {p for p in (comfy_files.root / "output").rglob("*") if p.is_file()} - before
    assert left == set()
    comfy_files.sweep()  # the folders, which are a job's to remove


@asynccontextmanager
async def proxied(
    process: ComfyProcess, files: ComfyFiles, swallows: bytes | None = None
) -> AsyncIterator[tuple[ComfyEngine, Proxy]]:
    with Proxy(port_of(process), swallows) as proxy:
        behind = ProxiedProcess(process, proxy)
        yield ComfyEngine(behind, files, SystemClock(), quiet_timeout_s=60), proxy
        await until(lambda: proxy.open_web_sockets == 0)
        behind.close()


async def test_pages_run_in_the_order_of_the_calls_and_one_waits_ready(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    pages = [Page(engine, sleeping(0.5)) for _ in range(3)]
    await pages[0].runs.wait()
    await until(lambda: queue_length(comfy_process) == 3)  # none waits for another to end
    rendered = await asyncio.gather(*(page.task for page in pages))
    for earlier, later in itertools.pairwise(rendered):
        assert earlier.began < later.began
        assert earlier.ended < later.ended
        assert later.queue_ms > earlier.queue_ms
    times = rendered[0].node_ms
    assert set(times) == {"EmptyImage", "TestSleep", "SaveImage"}
    assert max(times, key=lambda node: times[node]) == "TestSleep"


async def test_a_cut_websocket_is_opened_again(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    async with proxied(comfy_process, comfy_files) as (engine, proxy):
        page = Page(engine, slow(nodes=6))
        await page.runs.wait()
        proxy.cut()
        seen = len(page.steps)
        rendered = await page.task
        assert rendered.data
        assert len(page.steps) > seen
        assert proxy.web_sockets >= 2


async def test_a_page_whose_last_message_is_lost_is_found_in_the_history(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    async with proxied(comfy_process, comfy_files, b"execution_success") as (engine, proxy):
        rendered = await Page(engine, quick()).task
        assert rendered.data
        assert rendered.began <= rendered.ended
        assert proxy.web_sockets == 1


async def test_a_failure_whose_message_is_lost_is_found_in_the_history(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    async with proxied(comfy_process, comfy_files, b"executing") as (engine, _):
        graph = filled(faulty_graph("TestRaise", "out of paper", prefix()))
        with pytest.raises(NodeFailed, match="out of paper"):
            await Page(engine, graph).task


async def test_a_queued_page_that_is_cancelled_is_gone_and_no_other(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    first, second, third = Page(engine, sleeping(2)), Page(engine, slow()), Page(engine, quick())
    await first.runs.wait()
    await until(lambda: queue_length(comfy_process) == 3)
    second.task.cancel()
    assert isinstance(await second.error(), asyncio.CancelledError)
    assert not first.task.done()  # gone at once, not at its turn
    assert not second.runs.is_set()
    assert (await first.task).data
    assert (await third.task).data


async def test_a_running_page_that_is_cancelled_stops_and_no_other(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    victim = comfy_process.pid
    first, second = Page(engine, slow()), Page(engine, quick())
    await first.runs.wait()
    await until(lambda: queue_length(comfy_process) == 2)
    first.task.cancel()
    assert isinstance(await first.error(), asyncio.CancelledError)
    assert (await second.task).data
    assert comfy_process.pid == victim


async def test_pages_cancelled_together_leave_an_idle_comfyui(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    pages = [Page(engine, slow()) for _ in range(3)]
    await pages[0].runs.wait()
    for page in pages:
        page.task.cancel()
    for page in pages:
        assert isinstance(await page.error(), asyncio.CancelledError)
    assert queue_length(comfy_process) == 0


async def test_pages_that_somebody_else_stops_are_told_so(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    first, second = Page(engine, slow()), Page(engine, quick())
    await first.runs.wait()
    await until(lambda: queue_length(comfy_process) == 2)
    client = comfy_process.ensure_running()
    queue = client._get("/queue")
    for entry in queue["queue_pending"] + queue["queue_running"]:
        client.cancel(entry[1])
    assert isinstance(await first.error(), PromptInterrupted)
    assert isinstance(await second.error(), PromptInterrupted)


@pytest.mark.parametrize("text", ["Allocation on device", "CUDA out of memory. Tried to"])
async def test_a_full_gpu_has_its_own_error_and_can_be_freed(
    engine: ComfyEngine, text: str
) -> None:
    with pytest.raises(GpuOutOfMemory, match=r"node fault \(TestOutOfMemory"):
        await Page(engine, filled(faulty_graph("TestOutOfMemory", text, prefix()))).task
    await engine.free()
    assert (await Page(engine, quick()).task).data


async def test_freeing_forgets_what_was_cached(engine: ComfyEngine) -> None:
    graph = quick()
    await Page(engine, graph).task
    with pytest.raises(OutputMissing, match="cache"):
        await Page(engine, graph).task
    await engine.free()
    await asyncio.sleep(0.2)
    assert (await Page(engine, graph).task).data


class Counting(ComfyEngine):
    """Counts the graphs that it is given, its own among them."""

    graphs = 0

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        self.graphs += 1
        return await super().render(graph, on_step)

    async def settles(self) -> int:
        """Let it settle twice; say how many graphs that took."""
        before = self.graphs
        await self.settle()
        await self.settle()
        return self.graphs - before


async def test_comfyui_settles_once_after_each_boot_and_each_time_that_it_was_freed(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    engine = Counting(comfy_process, comfy_files, SystemClock(), quiet_timeout_s=60)
    assert await engine.settles() == 1  # what it has imported
    await engine.render(quick(), ignore)
    assert await engine.settles() == 1  # what that has loaded
    await engine.render(quick(), ignore)
    assert await engine.settles() == 0
    await engine.free()
    await engine.render(quick(), ignore)
    assert await engine.settles() == 1
    assert comfy_process.pid is not None
    os.kill(comfy_process.pid, signal.SIGKILL)
    await until(lambda: not comfy_process.alive)
    assert await engine.settles() == 0  # there is none
    await engine.render(quick(), ignore)
    assert await engine.settles() == 1


async def test_only_the_executed_page_is_blamed_for_a_death_and_one_boot_follows(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    victim, port = comfy_process.pid, port_of(comfy_process)
    assert victim is not None
    others = {child.pid for child in psutil.Process().children()} - {victim}
    first, second = Page(engine, slow()), Page(engine, quick())
    await first.runs.wait()
    await until(lambda: queue_length(comfy_process) == 2)
    os.kill(victim, signal.SIGKILL)
    died, waited = await first.error(), await second.error()
    assert isinstance(died, ComfyDied)
    assert died.blamed
    assert isinstance(waited, ComfyDied)
    assert not waited.blamed
    boots: list[int | None] = []

    async def booted() -> None:
        await engine.ensure_running()
        boots.append(comfy_process.pid)

    await asyncio.gather(*(booted() for _ in range(3)))
    assert len(set(boots)) == 1
    assert boots[0] not in (None, victim)
    assert connections_to(port) == 0
    assert {child.pid for child in psutil.Process().children()} - others == {boots[0]}
    assert (await Page(engine, quick()).task).data


async def frozen(page: Page, process: ComfyProcess) -> None:
    await page.runs.wait()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)


async def hung(page: Page, process: ComfyProcess) -> None:
    await page.runs.wait()
    await until(lambda: queue_length(process) == 2)


@pytest.mark.parametrize("fault", [frozen, hung])
async def test_a_page_without_progress_is_given_up_and_comfyui_is_ended(
    comfy_process: ComfyProcess,
    comfy_files: ComfyFiles,
    fault: Callable[[Page, ComfyProcess], Awaitable[None]],
) -> None:
    engine = ComfyEngine(comfy_process, comfy_files, SystemClock(), 1.0, let_go_s=1.0)
    first, second = Page(engine, sleeping(3600)), Page(engine, quick())
    await until(lambda: queue_length(comfy_process) == 2)
    await fault(first, comfy_process)
    assert isinstance(await first.error(), ComfyStalled)
    waited = await second.error()
    assert isinstance(waited, ComfyDied)
    assert not waited.blamed
    assert not comfy_process.alive


async def test_a_page_that_waits_for_another_is_not_quiet(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    quiet_s = 1.0
    engine = ComfyEngine(comfy_process, comfy_files, SystemClock(), quiet_s)
    first, second = Page(engine, slow(nodes=40)), Page(engine, quick())
    assert (await first.task).data
    rendered = await second.task
    assert rendered.queue_ms > quiet_s * 1000


async def test_a_page_that_lets_go_is_given_up_alone(
    comfy_process: ComfyProcess, comfy_files: ComfyFiles
) -> None:
    engine = ComfyEngine(comfy_process, comfy_files, SystemClock(), 1.0, let_go_s=30)
    first, second = Page(engine, sleeping(3)), Page(engine, quick())
    assert isinstance(await first.error(), ComfyStalled)
    assert (await second.task).data


async def test_a_page_survives_a_comfyui_that_is_frozen_before_it_comes(
    engine: ComfyEngine, comfy_process: ComfyProcess
) -> None:
    victim = comfy_process.pid
    assert victim is not None
    os.kill(victim, signal.SIGSTOP)
    recovery = Recovery(engine, SystemClock(), "job-1")
    assert (await recovery.render(quick(), lambda _: None)).data
    assert comfy_process.pid not in (None, victim)
    assert not recovery.doubtful


async def test_a_lost_gpu_ends_comfyui(engine: ComfyEngine, comfy_process: ComfyProcess) -> None:
    text = "CUDA error: an illegal memory access was encountered"
    with pytest.raises(ComfyDied, match="illegal memory access") as death:
        await Page(engine, filled(faulty_graph("TestRaise", text, prefix()))).task
    assert death.value.blamed
    assert not comfy_process.alive
