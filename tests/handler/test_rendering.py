"""How the pages of a job overlap, and what is left of them when they fail or are given up."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from contract.errors import ErrorCode
from contract.result import JobResult
from contract.status import JobStatus, PageStatus
from handler.errors import ComfyBootFailed, NodeFailed
from handler.graph import FilledGraph, Workflows
from handler.ports import Rendered, Step
from handler.rendering import PAGES_IN_FLIGHT, PAGES_QUEUED
from storage.errors import StoreFull, StoreRefused, StoreUnavailable
from tests.handler.bench import PHOTO, Bench, codes
from tests.handler.fakes import (
    FakeComfy,
    MemoryStore,
    identity_file,
    job_input,
    pixels,
    png,
    portrait_input,
)

pytestmark = pytest.mark.anyio
EMBEDDING = "pulid_emb/x.safetensors"


class GatedComfy(FakeComfy):
    """Executes one graph for each time that the test opens the gate."""

    def __init__(self, *failures: NodeFailed | None) -> None:
        super().__init__(*failures)
        self.gate = asyncio.Semaphore(0)

    async def _execute(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        await self.gate.acquire()
        return await super()._execute(graph, on_step)

    def open(self, graphs: int = 1) -> None:
        for _ in range(graphs):
            self.gate.release()


class GatedStore(MemoryStore):
    """Lets nobody read or write ``closed`` keys until the test opens them all."""

    def __init__(self, objects: dict[str, bytes], *closed: str) -> None:
        super().__init__(objects)
        self.closed = closed
        self.opened = threading.Event()
        self.reached = threading.Event()

    def get(self, key: str, max_bytes: int) -> bytes:
        if not key.startswith("pages/"):
            self._wait(key)
        return super().get(key, max_bytes)

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        self._wait(key)
        return super().put_new(key, data, content_type)

    def _wait(self, key: str) -> None:
        if key in self.closed:
            self.reached.set()
            self.opened.wait(60)


class CountingStore(MemoryStore):
    """Counts the pages between their look-up and the end of their upload."""

    def __init__(self) -> None:
        super().__init__(PHOTO)
        self.in_flight = self.most = 0
        self._lock = threading.Lock()

    def get(self, key: str, max_bytes: int) -> bytes:
        if key.startswith("pages/"):
            with self._lock:
                self.in_flight += 1
                self.most = max(self.most, self.in_flight)
        return super().get(key, max_bytes)

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        try:
            return super().put_new(key, data, content_type)
        finally:
            with self._lock:
                self.in_flight -= 1


class OwnPhotos(dict[str, Any]):
    """A job whose pages have a photo each."""

    def __init__(self, pages: int) -> None:
        super().__init__(job_input(pages))
        for page in self["pages"]:
            page["assets"] = {"photo": {"key": photo(page["page_number"])}}


def photo(number: int) -> str:
    return f"photos/{number}/original.jpg"


def photos(pages: int) -> dict[str, bytes]:
    return {photo(number): png(size=(8 + number, 8)) for number in range(1, pages + 1)}


def key(number: int) -> str:
    return f"pages/p1/page_{number:02d}.png"


def submitted(comfy: FakeComfy) -> list[int]:
    """The numbers of the pages that ComfyUI was given, in order; 0 is an identity."""
    prefixes = [graph.prompt["save"]["inputs"]["filename_prefix"] for graph in comfy.graphs]
    return [int(prefix[-3:]) if "page_" in prefix else 0 for prefix in prefixes]


def begin(bench: Bench, raw: dict[str, Any]) -> "asyncio.Task[JobResult]":
    return asyncio.create_task(bench.run(raw))


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110  # threads set no event of the loop
            await asyncio.sleep(0.001)


async def settled(comfy: FakeComfy, graphs: int) -> None:
    """Wait until ComfyUI has been given so many graphs, and every task waits."""
    await until(lambda: len(comfy.graphs) == graphs)
    for _ in range(50):
        await asyncio.sleep(0)


async def test_three_pages_are_in_flight_and_two_of_them_with_comfyui(
    workflows: Workflows,
) -> None:
    bench = Bench(workflows, store=CountingStore())
    result = await bench.run(job_input(pages=30))
    assert result.status is JobStatus.COMPLETED
    assert isinstance(bench.store, CountingStore)
    assert bench.store.most == PAGES_IN_FLIGHT == 3
    assert bench.comfy.most_waiting <= PAGES_QUEUED == 2
    assert submitted(bench.comfy) == list(range(1, 31))


async def test_the_next_page_is_queued_and_one_more_fetched_while_a_page_renders(
    workflows: Workflows,
) -> None:
    comfy = GatedComfy()
    bench = Bench(workflows, comfy, MemoryStore(photos(5)))
    running = begin(bench, OwnPhotos(5))
    await settled(comfy, 2)
    assert submitted(comfy) == [1, 2]
    assert comfy.executed == 0
    await until(lambda: len(bench.store.inputs_read) == 3)
    assert sorted(bench.store.inputs_read) == [photo(1), photo(2), photo(3)]
    comfy.open()
    await settled(comfy, 3)
    assert comfy.most_waiting == 2
    comfy.open(4)
    assert (await running).status is JobStatus.COMPLETED
    assert submitted(comfy) == [1, 2, 3, 4, 5]


async def test_pages_are_submitted_in_order_whichever_is_fetched_first(
    workflows: Workflows,
) -> None:
    store = GatedStore(photos(4), photo(1))
    bench = Bench(workflows, store=store)
    running = begin(bench, OwnPhotos(4))
    await until(lambda: {photo(2), photo(3)} <= set(store.reads))
    assert bench.comfy.graphs == []
    store.opened.set()
    assert (await running).status is JobStatus.COMPLETED
    assert submitted(bench.comfy) == [1, 2, 3, 4]


async def test_a_page_is_stored_while_the_next_one_renders(workflows: Workflows) -> None:
    comfy, store = GatedComfy(), GatedStore(PHOTO, key(1))
    bench = Bench(workflows, comfy, store)
    running = begin(bench, job_input(pages=3))
    comfy.open(2)
    await until(store.reached.is_set)
    await until(lambda: key(2) in store.objects)  # later than page 1, and not held up by it
    assert key(1) not in store.objects
    store.opened.set()
    comfy.open()
    assert (await running).status is JobStatus.COMPLETED


async def test_a_page_that_fails_does_not_disturb_those_around_it(workflows: Workflows) -> None:
    """Page 2 fails before ComfyUI, page 4 in it."""
    objects = photos(5)
    del objects[photo(2)]
    failure = NodeFailed("node 6 raised", node="6")
    bench = Bench(workflows, FakeComfy(None, None, failure, None), MemoryStore(objects))
    result = await bench.run(OwnPhotos(5))
    assert codes(result) == [
        None,
        ErrorCode.INPUT_NOT_FOUND,
        None,
        ErrorCode.NODE_FAILED,
        None,
    ]
    assert submitted(bench.comfy) == [1, 3, 4, 5]
    assert result.status is JobStatus.FAILED
    assert [page.page_number for page in result.pages if page.image] == [1, 3, 5]


async def test_what_fails_every_page_ends_those_that_wait_and_spares_those_that_are_done(
    workflows: Workflows,
) -> None:
    comfy = GatedComfy()
    comfy.failures = [None, ComfyBootFailed("no"), ComfyBootFailed("no"), ComfyBootFailed("no")]
    comfy.boot_failure = ComfyBootFailed("no")
    store = GatedStore(PHOTO, key(1))
    running = begin(Bench(workflows, comfy, store), job_input(pages=9))
    comfy.open()
    await until(store.reached.is_set)
    comfy.open(9)
    await until(lambda: comfy.waiting == 0)
    store.opened.set()
    assert codes(await running) == [None] + [ErrorCode.COMFY_BOOT_FAILED] * 8


async def test_a_second_delivery_renders_nothing_and_fetches_only_pages(
    identity_workflows: Workflows,
) -> None:
    store = MemoryStore(PHOTO)
    first = await Bench(identity_workflows, store=store).run(portrait_input(pages=4))
    store.reads.clear()
    second_bench = Bench(identity_workflows, store=store)
    second = await second_bench.run(portrait_input(pages=4))
    assert second.status is JobStatus.COMPLETED
    assert second_bench.comfy.graphs == []
    assert sorted(store.reads) == [key(number) for number in range(1, 5)]
    assert [page.reused for page in first.pages + second.pages] == [False] * 4 + [True] * 4
    assert [page.image for page in second.pages] == [page.image for page in first.pages]
    assert second_bench.comfy.files == {}


async def test_a_retry_renders_only_what_is_missing_or_damaged(workflows: Workflows) -> None:
    bench = Bench(workflows)
    await bench.run(job_input(pages=6))
    whole = dict(bench.store.objects)
    del bench.store.objects[key(2)]
    bench.store.objects[key(3)] = whole[key(3)][:-20]
    bench.store.objects[key(5)] = png()  # of unknown making
    bench.comfy.graphs.clear()
    result = await bench.run(job_input(pages=6))
    assert result.status is JobStatus.COMPLETED
    assert submitted(bench.comfy) == [2, 3, 5]
    assert [page.reused for page in result.pages] == [True, False, False, True, False, True]
    assert bench.store.objects == whole


def with_page(**changes: Any) -> dict[str, Any]:
    raw = portrait_input()
    raw["pages"][0] |= changes
    return raw


def with_identity(**changes: Any) -> dict[str, Any]:
    raw = portrait_input()
    raw["identity"] |= changes
    return raw


@pytest.mark.parametrize(
    "changed",
    [
        with_page(seed=99),
        with_identity(embedding_key="pulid_emb/y.safetensors"),
        with_identity(photo={"key": "photos/y/original.jpg"}),
    ],
    ids=["seed", "embedding", "photo"],
)
async def test_a_page_that_is_made_from_something_else_is_rendered_again(
    identity_workflows: Workflows, changed: dict[str, Any]
) -> None:
    bench = Bench(identity_workflows, store=MemoryStore({**PHOTO, "photos/y/original.jpg": png()}))
    await bench.run(portrait_input())
    before = bench.store.objects[key(1)]
    [page] = (await bench.run(changed)).pages
    assert (page.status, page.reused) == (PageStatus.COMPLETED, False)
    assert bench.store.objects[key(1)] != before


class Painter(FakeComfy):
    """Paints in a colour of its own, once every worker has begun."""

    def __init__(self, color: str, meeting: asyncio.Barrier) -> None:
        super().__init__()
        self._color = color
        self._meeting = meeting

    async def _execute(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        await self._meeting.wait()
        return await super()._execute(graph, on_step)

    def _made(self, graph: FilledGraph) -> bytes:
        return pixels(self._color)


async def test_workers_that_race_for_a_page_report_what_lies_there(workflows: Workflows) -> None:
    store, meeting = MemoryStore(PHOTO), asyncio.Barrier(2)
    benches = [Bench(workflows, Painter(color, meeting), store) for color in ("red", "blue")]
    results = await asyncio.gather(*(bench.run(job_input(pages=4)) for bench in benches))
    for one, other in zip(results[0].pages, results[1].pages, strict=True):
        assert one.image is not None
        assert one.image == other.image
        assert sorted([one.reused, other.reused]) == [False, True]
        stored = await Bench(workflows, store=store).run(job_input(pages=4))
        assert one.image in [page.image for page in stored.pages]


class Flaky(MemoryStore):
    """Fails its first writes. With ``arrives`` they were done all the same."""

    def __init__(self, *failures: StoreUnavailable, arrives: bool = False) -> None:
        super().__init__(PHOTO)
        self.failures = list(failures)
        self.arrives = arrives

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        failure = self.failures.pop(0) if self.failures else None
        if failure is None:
            return super().put_new(key, data, content_type)
        self.writes.append(key)
        if self.arrives:
            self.objects[key] = data
        raise failure


async def test_an_upload_that_fails_is_tried_again_until_the_page_is_there(
    workflows: Workflows,
) -> None:
    bench = Bench(workflows, store=Flaky(*[StoreUnavailable("away")] * 3))
    result = await bench.run(job_input())
    assert result.status is JobStatus.COMPLETED
    assert bench.store.writes == [key(1)] * 4
    assert result.pages[0].timings.store_ms > 0  # by the clock that slept in between


async def test_an_upload_whose_answer_is_lost_is_our_own(workflows: Workflows) -> None:
    bench = Bench(workflows, store=Flaky(StoreUnavailable("away"), arrives=True))
    result = await bench.run(job_input())
    assert [(page.status, page.reused) for page in result.pages] == [(PageStatus.COMPLETED, False)]
    assert bench.store.writes == [key(1)] * 2


@pytest.mark.parametrize(
    ("failure", "code", "writes"),
    [
        (StoreUnavailable("away"), ErrorCode.STORE_UNAVAILABLE, 5),
        (StoreRefused("wrong credentials"), ErrorCode.STORE_UNAVAILABLE, 1),
        (StoreFull("no space left"), ErrorCode.STORE_FULL, 1),
    ],
    ids=["away", "refused", "full"],
)
async def test_a_page_that_cannot_be_stored_is_not_completed(
    workflows: Workflows, failure: StoreUnavailable, code: ErrorCode, writes: int
) -> None:
    bench = Bench(workflows)
    bench.store.failure = failure
    result = await bench.run(job_input())
    assert codes(result) == [code]
    assert result.pages[0].image is None
    assert len(bench.store.writes) == writes


async def test_pages_that_are_refused_together_share_one_new_identity(
    identity_workflows: Workflows,
) -> None:
    """Page 2 was queued with the stored identity before page 1 found out about it."""
    refusal = NodeFailed("refused", node="6", exception_message="embedding_mismatch: other PuLID")
    comfy = GatedComfy(refusal, refusal)
    store = MemoryStore({**PHOTO, EMBEDDING: identity_file(extractor_version="0")})
    bench = Bench(identity_workflows, comfy, store)
    running = begin(bench, portrait_input(pages=4))
    await settled(comfy, 2)
    comfy.open(10)
    result = await running
    assert result.status is JobStatus.COMPLETED
    assert comfy.extractions == 1
    assert submitted(comfy)[:3] == [1, 2, 0]
    assert sorted(submitted(comfy)[3:]) == [1, 2, 3, 4]
    assert store.objects[EMBEDDING] == comfy.identity
    assert comfy.most_waiting <= PAGES_QUEUED


async def test_a_page_knows_where_its_time_went(workflows: Workflows) -> None:
    class Busy(FakeComfy):
        async def _execute(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
            rendered = await super()._execute(graph, on_step)
            node_ms = {
                "CLIPTextEncode": 1.0,
                "KSampler": 2.0,
                "KSamplerAdvanced": 3.0,
                "VAEDecode": 4.0,
                "VAEDecodeTiled": 5.0,
                "ImageCompositeMasked": 6.0,
                "FoxetalesSkinShift": 7.0,
                "FoxetalesIdentityApply": 100.0,
                "LoadImage": 100.0,
            }
            return Rendered(
                data=rendered.data,
                queue_ms=10.0,
                render_ms=300.0,
                began=rendered.began,
                ended=rendered.ended,
                node_ms=node_ms,
            )

    result = await Bench(workflows, Busy()).run(job_input(pages=3))
    for page in result.pages:
        times = page.timings
        assert (times.queue_ms, times.render_ms) == (10.0, 300.0)
        assert (times.text_ms, times.sample_ms) == (1.0, 5.0)
        assert (times.decode_ms, times.composite_ms) == (9.0, 13.0)
    # A second goes by between two graphs of the fake ComfyUI.
    assert [page.timings.idle_ms for page in result.pages] == [0.0, 1000.0, 1000.0]


class Noise(FakeComfy):
    """Makes a picture that takes a while to encode."""

    def __init__(self) -> None:
        super().__init__()
        self.made = asyncio.Event()

    def _made(self, graph: FilledGraph) -> bytes:
        self.made.set()
        blank = pixels(size=(3000, 3000))
        noise = np.random.default_rng(1).bytes(3000 * 3000 * 3)
        return blank[: -len(noise)] + noise


class Stage:
    """A job that is stuck in one stage, and what says so."""

    def __init__(self, name: str) -> None:
        self.comfy = {"encode": Noise, "queue": GatedComfy, "sampling": Hanging}.get(
            name, FakeComfy
        )()
        closed = {"fetch": [photo(1)], "upload": [key(1)]}.get(name, [])
        self.store = GatedStore(photos(3), *closed)
        comfy = self.comfy
        self.reached: Callable[[], bool] = {
            "fetch": self.store.reached.is_set,
            "queue": lambda: comfy.waiting == 2,
            "sampling": comfy.rendering.is_set,
            "encode": lambda: isinstance(comfy, Noise) and comfy.made.is_set(),
            "upload": self.store.reached.is_set,
        }[name]


class Hanging(FakeComfy):
    """Never finishes a graph."""

    def __init__(self) -> None:
        super().__init__(hangs=True)


@contextmanager
def stuck_in(stage: str) -> Iterator[Stage]:
    """A job that is stuck until the test is over."""
    made = Stage(stage)
    try:
        yield made
        assert not made.store.opened.is_set()  # whatever is stuck was not waited for
    finally:
        made.store.opened.set()


STAGES = ["fetch", "queue", "sampling", "encode", "upload"]


def assert_nothing_is_left(bench: Bench, tasks: "set[asyncio.Task[Any]]") -> None:
    assert bench.comfy.files == {}
    assert len(bench.comfy.discarded) == 1
    assert bench.comfy.waiting == 0
    assert asyncio.all_tasks() <= tasks


@pytest.mark.parametrize("name", STAGES)
async def test_a_job_is_cancelled_in_any_stage(workflows: Workflows, name: str) -> None:
    with stuck_in(name) as stage:
        bench = Bench(workflows, stage.comfy, stage.store)
        before = asyncio.all_tasks()
        task = asyncio.create_task(bench.worker.handle({"id": "r", "input": OwnPhotos(3)}))
        await until(stage.reached)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert_nothing_is_left(bench, before)
    [result] = bench.sink.results
    assert result.status is JobStatus.CANCELLED
    assert [page.page_number for page in result.pages if page.image is None] == []


@pytest.mark.parametrize("name", STAGES)
async def test_a_deadline_ends_any_stage(workflows: Workflows, name: str) -> None:
    with stuck_in(name) as stage:
        bench = Bench(workflows, stage.comfy, stage.store)
        before = asyncio.all_tasks()
        result = await bench.run(OwnPhotos(3) | {"deadline_s": 0.1})
        assert_nothing_is_left(bench, before)
    assert ErrorCode.DEADLINE_EXCEEDED in codes(result)
    assert set(codes(result)) <= {None, ErrorCode.DEADLINE_EXCEEDED}
