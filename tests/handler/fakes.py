"""Stand-ins for the worker's own ports."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from PIL import Image

from contract.result import JobResult, Progress
from handler.errors import WorkerError
from handler.graph import FilledGraph
from handler.patient_store import PatientStore
from handler.pixels import decoded
from handler.ports import Rendered, Step
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError


def png(color: str = "white", size: tuple[int, int] = (16, 12)) -> bytes:
    """A small PNG of one colour."""
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(color: str = "white", size: tuple[int, int] = (16, 12)) -> bytes:
    """The same picture as :func:`png`, as it travels between worker and ComfyUI."""
    return decoded(png(color, size), "a picture")


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When a :class:`FakeClock` begins."""


def identity_file(extracted_at: datetime = EPOCH, **changes: str) -> bytes:
    """An identity embedding's file of zeros, as the nodes save it; ``changes`` to its record."""
    record = {
        "format": "foxetales.identity",
        "extractor_version": "1",
        "pulid_sha256": "1" * 64,
        "photo_sha256": "2" * 64,
        "dtype": "bfloat16",
        "extracted_at": extracted_at.isoformat(),
    }
    tensor = bytes(32 * 2048 * 2)
    header = {
        "__metadata__": {**record, **changes},
        "tokens": {"dtype": "BF16", "shape": [1, 32, 2048], "data_offsets": [0, len(tensor)]},
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensor


class FakeClock:
    """A clock that moves only when somebody sleeps; sleeping takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


class StillClock(FakeClock):
    """A clock that never moves."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class MemoryStore:
    """An object store in a dictionary. ``failure`` is raised by the next writes; ``refusals`` by
    the writes of single keys."""

    def __init__(self, objects: dict[str, bytes] | None = None) -> None:
        self.objects = dict(objects or {})
        self.reads: list[str] = []
        self.writes: list[str] = []
        self.failure: StoreError | None = None
        self.refusals: dict[str, StoreError] = {}

    @property
    def inputs_read(self) -> list[str]:
        """What was read, but for pages: those are looked up before they are rendered."""
        return [key for key in self.reads if not key.startswith("pages/")]

    def put(self, key: str, data: bytes, content_type: str) -> None:
        self._write(key)
        self.objects[key] = data

    def put_new(self, key: str, data: bytes, content_type: str) -> bool:
        self._write(key)
        return self.objects.setdefault(key, data) is data

    def _write(self, key: str) -> None:
        self.writes.append(key)
        if self.failure is not None:
            raise self.failure
        if key in self.refusals:
            raise self.refusals[key]

    def get(self, key: str, max_bytes: int) -> bytes:
        self.reads.append(key)
        if key not in self.objects:
            raise ObjectNotFound(key)
        if len(self.objects[key]) > max_bytes:
            raise ObjectTooLarge(key, max_bytes)
        return self.objects[key]


def patient(store: MemoryStore) -> PatientStore:
    """The store as a job uses it, by a clock whose pauses take no time."""
    return PatientStore(store, FakeClock(), "job-1")


class FakeComfy:
    """A ComfyUI that paints one colour, and takes everybody for ``identity``. It executes one graph
    at a time, in the order in which they come. ``failures`` are raised by the graphs to come, in
    order; None among them is a success. With ``hangs`` a graph ends only by cancellation. By its
    clock a graph takes a second, and a second goes by between two of them. ``settled_after`` is how
    many graphs it had been given each time that it was to settle."""

    def __init__(self, *failures: WorkerError | None, hangs: bool = False) -> None:
        self.failures = list(failures)
        self.hangs = hangs
        self.identity = identity_file()
        self.boots = 0
        self.boot_failure: WorkerError | None = None
        self.freed = 0
        self.settled_after: list[int] = []
        self.settle_failure: WorkerError | None = None
        self.graphs: list[FilledGraph] = []
        self.executed = 0
        self.waiting = 0
        self.most_waiting = 0
        self._turn = asyncio.Lock()
        self.files: dict[str, dict[str, bytes]] = {}
        self.discarded: list[str] = []
        self.rendering = asyncio.Event()
        self.interrupted = 0

    @property
    def extractions(self) -> int:
        """How many graphs were to make an identity."""
        return sum(graph.makes == "identity" for graph in self.graphs)

    async def ensure_running(self) -> None:
        self.boots += 1
        if self.boot_failure is not None:
            raise self.boot_failure

    async def stage(self, run: str, name: str, data: bytes) -> str:
        self.files.setdefault(run, {})[name] = data
        return f"{run}/{name}"

    async def render(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        self.graphs.append(graph)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            async with self._turn:
                return await self._execute(graph, on_step)
        finally:
            self.waiting -= 1

    async def _execute(self, graph: FilledGraph, on_step: Callable[[Step], None]) -> Rendered:
        self.executed += 1
        self.rendering.set()
        on_step(Step(0.5, "Paint", 3, 4))
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.interrupted += 1
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        began = 2.0 * self.executed
        return Rendered(
            self._made(graph),
            queue_ms=1.0,
            render_ms=1000.0,
            began=began,
            ended=began + 1.0,
            node_ms={"KSampler": 900.0, "SaveImage": 100.0},
        )

    def _made(self, graph: FilledGraph) -> bytes:
        if graph.makes == "identity":
            return self.identity
        return pixels() if graph.raw else png()

    async def free(self) -> None:
        self.freed += 1

    async def settle(self) -> None:
        self.settled_after.append(len(self.graphs))
        if self.settle_failure is not None:
            raise self.settle_failure

    async def discard(self, run: str) -> None:
        self.files.pop(run, None)
        self.discarded.append(run)


class RecordingSink:
    """Keeps what it is sent. ``stuck`` never answers to progress."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.progress: list[Progress] = []
        self.results: list[JobResult] = []
        self.stuck = stuck

    async def send_progress(self, progress: Progress) -> None:
        self.progress.append(progress)
        if self.stuck:
            await asyncio.Event().wait()

    async def send_result(self, result: JobResult) -> None:
        self.results.append(result)


def job_input(pages: int = 1, **changes: Any) -> dict[str, Any]:
    """A RunPod input for the workflow ``tiny``, as JSON data."""
    return {
        "job_id": "job-1",
        "workflow": {"name": "tiny", "version": 1},
        "pages": [
            {
                "page_number": number,
                "output_key": f"pages/p1/page_{number:02d}.png",
                "seed": 40 + number,
                "assets": {"photo": {"key": "photos/x/original.jpg"}},
            }
            for number in range(1, pages + 1)
        ],
        **changes,
    }


def identity_source(**changes: Any) -> dict[str, Any]:
    """The identity of a job for the workflow ``portrait``, as JSON data."""
    return {
        "photo": {"key": "photos/x/original.jpg"},
        "embedding_key": "pulid_emb/x.safetensors",
        "workflow": {"name": "tiny_identity", "version": 1},
        **changes,
    }


def portrait_input(pages: int = 1, first: int = 1, **changes: Any) -> dict[str, Any]:
    """A RunPod input for the workflow ``portrait``: ``pages`` pages from page ``first`` on."""
    return {
        "job_id": "job-1",
        "workflow": {"name": "portrait", "version": 1},
        "identity": identity_source(),
        "pages": [
            {"page_number": n, "output_key": f"pages/p1/page_{n:02d}.png", "seed": n}
            for n in range(first, first + pages)
        ],
        **changes,
    }


def identity_input(**changes: Any) -> dict[str, Any]:
    """A RunPod input that asks for the identity alone."""
    return {"kind": "identity", "job_id": "job-0", "identity": identity_source(), **changes}
