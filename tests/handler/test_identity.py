"""Identities of jobs: what is stored is used again, what isn't is extracted once."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import pytest

from contract.errors import ErrorCode
from contract.job import IdentityJob, PagesJob
from contract.result import JobResult
from contract.status import JobStatus
from handler.errors import ComfyDied, InvalidSlot, NodeFailed
from handler.graph import Workflows
from handler.identity import CLOCKS_DIFFER_S, SharedEmbedding
from handler.inputs import JobInputs
from handler.pages import plan_identity
from handler.progress import ProgressReporter
from handler.recovery import Recovery
from handler.workspace import Workspace
from storage.errors import StoreFull, StoreUnavailable
from tests.handler.bench import PHOTO, Bench, codes
from tests.handler.fakes import (
    EPOCH,
    FakeClock,
    FakeComfy,
    MemoryStore,
    RecordingSink,
    StillClock,
    identity_file,
    identity_input,
    identity_source,
    job_input,
    patient,
    portrait_input,
)

pytestmark = pytest.mark.anyio
KEY = "pulid_emb/x.safetensors"
STORED = identity_file(EPOCH - timedelta(hours=2), extractor_version="0")
"""Tells itself apart from what :class:`FakeComfy` extracts."""


def node_failure(text: str) -> NodeFailed:
    return NodeFailed(f"node 6 raised: {text}", node="6", exception_message=text)


def refusal(code: str = "embedding_mismatch") -> NodeFailed:
    return node_failure(f"{code}: the identity was made with another PuLID file")


def bench_with(
    workflows: Workflows, stored: bytes | None = STORED, comfy: FakeComfy | None = None
) -> Bench:
    objects = PHOTO if stored is None else {**PHOTO, KEY: stored}
    return Bench(workflows, comfy, MemoryStore(objects), StillClock())


def kinds(bench: Bench) -> list[str]:
    """What was made, in order."""
    return [graph.makes for graph in bench.comfy.graphs]


def used_files(bench: Bench) -> list[str]:
    """The hashes of the embeddings that pages were rendered with, in order."""
    names = [graph.prompt["load"]["inputs"].get("file") for graph in bench.comfy.graphs]
    return [name.split("/")[1].removesuffix(".safetensors") for name in names if name]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_a_stored_identity_is_used_again(identity_workflows: Workflows) -> None:
    bench = bench_with(identity_workflows)
    result = await bench.run(portrait_input(pages=3))
    assert result.status is JobStatus.COMPLETED
    assert kinds(bench) == ["image"] * 3
    assert used_files(bench) == [sha256(STORED)] * 3
    assert bench.store.inputs_read == [KEY]  # once, and no photo
    assert result.identity is not None
    assert result.identity.model_dump() == {
        "key": KEY,
        "sha256": sha256(STORED),
        "size_bytes": len(STORED),
        "extracted_at": EPOCH - timedelta(hours=2),
        "extracted": False,
        "extract_ms": 0.0,
    }


async def test_a_missing_identity_is_extracted_once_for_all_pages_and_stored(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, None)
    result = await bench.run(portrait_input(pages=4))
    assert result.status is JobStatus.COMPLETED
    assert kinds(bench) == ["identity"] + ["image"] * 4
    assert bench.store.objects[KEY] == bench.comfy.identity
    assert used_files(bench) == [sha256(bench.comfy.identity)] * 4
    assert result.identity is not None
    assert result.identity.extracted
    assert result.identity.sha256 == sha256(bench.comfy.identity)


async def test_nothing_of_a_child_stays_with_comfyui(identity_workflows: Workflows) -> None:
    for raw in (portrait_input(), identity_input()):
        bench = bench_with(identity_workflows, None)
        await bench.run(raw)
        assert bench.comfy.files == {}
        assert len(bench.comfy.discarded) == 1


AGES = [
    (timedelta(seconds=3600), 0),
    (timedelta(seconds=3601), 1),
    (timedelta(days=400), 1),
    (timedelta(seconds=-CLOCKS_DIFFER_S), 0),
    (timedelta(seconds=-CLOCKS_DIFFER_S - 1), 1),
]


@pytest.mark.parametrize(("age", "extractions"), AGES, ids=str)
async def test_an_identity_has_its_time(
    identity_workflows: Workflows, age: timedelta, extractions: int
) -> None:
    bench = bench_with(identity_workflows, identity_file(EPOCH - age))
    result = await bench.run(portrait_input(identity=identity_source(max_age_s=3600)))
    assert result.status is JobStatus.COMPLETED
    assert bench.comfy.extractions == extractions


@pytest.mark.parametrize(
    "stored",
    [b"", STORED[:-10], identity_file(format="another"), b"\0" * 3_000_000],
    ids=["empty", "cut short", "another format", "too large"],
)
async def test_what_is_no_identity_is_replaced(
    identity_workflows: Workflows, stored: bytes
) -> None:
    bench = bench_with(identity_workflows, stored)
    assert (await bench.run(portrait_input(pages=2))).status is JobStatus.COMPLETED
    assert bench.comfy.extractions == 1
    assert bench.store.objects[KEY] == bench.comfy.identity


@pytest.mark.parametrize(
    "code", ["embedding_unreadable", "embedding_invalid", "embedding_mismatch"]
)
async def test_a_stored_identity_that_a_node_refuses_is_replaced(
    identity_workflows: Workflows, code: str
) -> None:
    bench = bench_with(identity_workflows, comfy=FakeComfy(refusal(code)))
    result = await bench.run(portrait_input(pages=2))
    assert result.status is JobStatus.COMPLETED
    assert kinds(bench) == ["image", "identity", "image", "image"]
    new = sha256(bench.comfy.identity)
    assert used_files(bench) == [sha256(STORED), new, new]
    assert bench.store.objects[KEY] == bench.comfy.identity
    assert result.identity is not None
    assert (result.identity.extracted, result.identity.sha256) == (True, new)


async def test_a_refused_new_identity_fails_the_page(identity_workflows: Workflows) -> None:
    bench = bench_with(identity_workflows, comfy=FakeComfy(refusal(), None, refusal()))
    result = await bench.run(portrait_input(pages=2))
    assert codes(result) == [ErrorCode.EMBEDDING_UNUSABLE, None]
    assert kinds(bench) == ["image", "identity", "image", "image"]


async def test_an_identity_that_this_job_made_is_not_made_again(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, None, FakeComfy(None, refusal(), refusal()))
    result = await bench.run(portrait_input(pages=2))
    assert codes(result) == [ErrorCode.EMBEDDING_UNUSABLE] * 2
    assert kinds(bench) == ["identity", "image", "image"]


async def test_another_failure_of_a_page_asks_for_no_new_identity(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, comfy=FakeComfy(node_failure("CUDA out of memory")))
    assert codes(await bench.run(portrait_input(pages=2))) == [ErrorCode.NODE_FAILED, None]
    assert bench.comfy.extractions == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no_face: nobody in the photo", ErrorCode.NO_FACE),
        ("several_faces: two", ErrorCode.SEVERAL_FACES),
        ("face_too_small: 12 px", ErrorCode.FACE_TOO_SMALL),
        ("weights_unusable: pulid.safetensors is damaged", ErrorCode.WEIGHTS_UNUSABLE),
        ("embedding_invalid: tokens has values that are NaN", ErrorCode.EMBEDDING_UNUSABLE),
    ],
)
async def test_a_failed_extraction_fails_all_pages_at_once(
    identity_workflows: Workflows, text: str, code: ErrorCode
) -> None:
    bench = bench_with(identity_workflows, None, FakeComfy(node_failure(text)))
    result = await bench.run(portrait_input(pages=3))
    assert codes(result) == [code] * 3
    assert [page.error.page_number for page in result.pages if page.error] == [1, 2, 3]
    assert kinds(bench) == ["identity"]
    assert result.status is JobStatus.FAILED
    assert result.error is not None
    assert (result.error.code, result.error.node) == (code, "6")
    assert result.identity is None
    assert KEY not in bench.store.objects


async def test_a_failed_replacement_fails_the_pages_that_are_left(
    identity_workflows: Workflows,
) -> None:
    comfy = FakeComfy(None, refusal(), node_failure("no_face: nobody"))
    bench = bench_with(identity_workflows, comfy=comfy)
    result = await bench.run(portrait_input(pages=4))
    assert codes(result) == [None] + [ErrorCode.NO_FACE] * 3
    assert kinds(bench) == ["image", "image", "identity"]
    assert result.identity is None  # the stored one was refused
    assert bench.store.objects[KEY] == STORED


async def test_a_missing_photo_fails_all_pages_at_once(identity_workflows: Workflows) -> None:
    bench = Bench(identity_workflows, store=MemoryStore())
    result = await bench.run(portrait_input(pages=3))
    assert codes(result) == [ErrorCode.INPUT_NOT_FOUND] * 3
    assert bench.store.inputs_read == [KEY, "photos/x/original.jpg"]


async def test_a_store_that_cannot_be_read_is_no_reason_to_extract(
    identity_workflows: Workflows,
) -> None:
    class Away(MemoryStore):
        def get(self, key: str, max_bytes: int) -> bytes:
            raise StoreUnavailable("away")

    bench = Bench(identity_workflows, store=Away())
    result = await bench.run(portrait_input(pages=2))
    assert codes(result) == [ErrorCode.STORE_UNAVAILABLE] * 2
    assert bench.comfy.graphs == []


async def test_what_comfyui_saved_must_be_an_identity(identity_workflows: Workflows) -> None:
    bench = bench_with(identity_workflows, None)
    bench.comfy.identity = identity_file()[:-1]
    result = await bench.run(identity_input())
    assert result.error is not None
    assert result.error.code is ErrorCode.OUTPUT_MISSING
    assert KEY not in bench.store.objects


async def test_a_comfyui_that_dies_while_extracting_is_tried_again(
    identity_workflows: Workflows,
) -> None:
    for raw in (identity_input(), portrait_input()):
        bench = bench_with(identity_workflows, None, FakeComfy(ComfyDied("killed")))
        assert (await bench.run(raw)).status is JobStatus.COMPLETED
        assert (bench.comfy.boots, bench.comfy.extractions) == (1, 2)


async def test_a_store_that_refuses_the_identity_does_not_cost_the_pages(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, None)
    bench.store.refusals[KEY] = StoreUnavailable("away")
    result = await bench.run(portrait_input(pages=3))
    assert result.status is JobStatus.COMPLETED
    assert bench.comfy.extractions == 1
    assert result.identity is None  # none is stored


async def test_a_store_that_refuses_the_identity_fails_an_identity_job(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, None)
    bench.store.refusals[KEY] = StoreFull("no space left")
    result = await bench.run(identity_input())
    assert result.status is JobStatus.FAILED
    assert result.error is not None
    assert result.error.code is ErrorCode.STORE_FULL
    assert result.identity is None


async def test_an_identity_job_says_whether_it_extracted(identity_workflows: Workflows) -> None:
    """A second delivery finds what the first one stored."""
    bench = bench_with(identity_workflows, None)
    first, second = [await bench.run(identity_input()) for _ in range(2)]
    for result, extracted in ((first, True), (second, False)):
        assert (result.status, result.pages) == (JobStatus.COMPLETED, [])
        assert result.identity is not None
        assert result.identity.extracted is extracted
        assert result.identity.sha256 == sha256(bench.store.objects[KEY])
    assert bench.comfy.extractions == 1
    assert bench.store.inputs_read == [KEY, "photos/x/original.jpg", KEY]


async def test_a_failed_identity_job_has_the_nodes_error(identity_workflows: Workflows) -> None:
    bench = bench_with(identity_workflows, None, FakeComfy(node_failure("no_face: nobody")))
    result = await bench.run(identity_input())
    assert result.status is JobStatus.FAILED
    assert result.error is not None
    assert (result.error.code, result.error.node) == (ErrorCode.NO_FACE, "6")


async def test_three_workers_render_a_book_with_one_extraction(
    identity_workflows: Workflows,
) -> None:
    store = MemoryStore(PHOTO)
    workers = [Bench(identity_workflows, store=store) for _ in range(3)]
    await workers[0].run(identity_input())
    parts = [portrait_input(pages=n, first=first) for n, first in ((12, 1), (12, 13), (11, 25))]
    results = await asyncio.gather(
        *(worker.run(part) for worker, part in zip(workers, parts, strict=True))
    )
    pages = [page for result in results for page in result.pages]
    assert [page.page_number for page in pages] == list(range(1, 36))
    assert {result.status for result in results} == {JobStatus.COMPLETED}
    assert sum(worker.comfy.extractions for worker in workers) == 1
    assert {result.identity.sha256 for result in results if result.identity} == {
        sha256(workers[0].comfy.identity)
    }
    assert store.reads.count("photos/x/original.jpg") == 1


def shared(workflows: Workflows, comfy: FakeComfy, store: MemoryStore) -> SharedEmbedding:
    job, clock = PagesJob.model_validate(portrait_input()), FakeClock()
    assert job.identity is not None
    job_store = patient(store)
    workspace = Workspace(
        job_id=job.job_id,
        run="job_1",
        comfy=comfy,
        store=job_store,
        clock=clock,
        reporter=ProgressReporter(job, 1, RecordingSink(), clock),
        inputs=JobInputs(job_store, comfy, "job_1"),
        recovery=Recovery(comfy, clock, job.job_id),
    )
    return SharedEmbedding(plan_identity(job.identity, workflows, "job_1"), workspace)


async def test_pages_that_ask_at_the_same_time_share_one_extraction(
    identity_workflows: Workflows,
) -> None:
    comfy = FakeComfy()
    embedding = shared(identity_workflows, comfy, MemoryStore(PHOTO))
    files = await asyncio.gather(*(embedding.file() for _ in range(5)))
    assert len({file.name for file in files}) == 1
    assert comfy.extractions == 1


async def test_pages_that_are_refused_at_the_same_time_share_one_replacement(
    identity_workflows: Workflows,
) -> None:
    comfy = FakeComfy()
    embedding = shared(identity_workflows, comfy, MemoryStore({**PHOTO, KEY: STORED}))
    refused = await embedding.file()
    newer = await asyncio.gather(*(embedding.instead_of(refused) for _ in range(5)))
    assert len({file.name for file in newer if file}) == 1
    assert refused.name not in {file.name for file in newer if file}
    assert comfy.extractions == 1


@pytest.mark.parametrize("raw", [portrait_input(pages=2), identity_input()], ids=["pages", "alone"])
async def test_cancelling_interrupts_an_extraction_and_tidies_up(
    identity_workflows: Workflows, raw: dict[str, Any]
) -> None:
    bench = bench_with(identity_workflows, None, FakeComfy(hangs=True))
    task = asyncio.create_task(bench.worker.handle({"id": "r", "input": raw}))
    await bench.comfy.rendering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (bench.comfy.interrupted, bench.comfy.files) == (1, {})
    assert KEY not in bench.store.objects
    [result] = bench.sink.results
    assert result.status is JobStatus.CANCELLED


async def test_a_deadline_interrupts_an_extraction(identity_workflows: Workflows) -> None:
    for raw in (portrait_input(pages=2, deadline_s=0.05), identity_input(deadline_s=0.05)):
        bench = bench_with(identity_workflows, None, FakeComfy(hangs=True))
        result = await bench.run(raw)
        assert result.error is not None
        assert result.error.code is ErrorCode.DEADLINE_EXCEEDED
        assert set(codes(result)) <= {ErrorCode.DEADLINE_EXCEEDED}
        assert (bench.comfy.interrupted, bench.comfy.files) == (1, {})


async def test_a_page_without_its_identity_names_the_slot(identity_workflows: Workflows) -> None:
    raw = portrait_input(pages=2)
    del raw["identity"]
    bench = bench_with(identity_workflows)
    result = await bench.run(raw)
    assert codes(result) == [ErrorCode.INVALID_SLOT] * 2
    assert "'person'" in (result.error.message if result.error else "")
    assert bench.store.inputs_read == []


async def test_an_identity_is_no_asset_of_a_page(identity_workflows: Workflows) -> None:
    raw = portrait_input()
    raw["pages"][0]["assets"] = {"person": {"key": KEY}}
    bench = bench_with(identity_workflows)
    assert codes(await bench.run(raw)) == [ErrorCode.INVALID_SLOT]
    assert bench.comfy.graphs == []


def invalid(**changes: Any) -> dict[str, Any]:
    return identity_input(identity=identity_source(**changes))


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (job_input(identity=identity_source()), ErrorCode.INVALID_INPUT, "tiny v1 takes none"),
        (
            portrait_input(workflow={"name": "tiny_identity", "version": 1}),
            ErrorCode.INVALID_INPUT,
            "tiny_identity v1 makes no pages",
        ),
        (
            invalid(workflow={"name": "tiny", "version": 1}),
            ErrorCode.INVALID_INPUT,
            "tiny v1 makes no identity",
        ),
        (
            invalid(workflow={"name": "tiny_identity", "version": 9}),
            ErrorCode.UNKNOWN_WORKFLOW,
            "tiny_identity v9",
        ),
        (invalid(max_age_s=0), ErrorCode.INVALID_INPUT, "identity.max_age_s"),
        (identity_input(kind="video"), ErrorCode.INVALID_INPUT, "kind"),
    ],
)
async def test_a_job_that_does_not_fit_its_workflow_is_refused_before_anything_is_fetched(
    identity_workflows: Workflows, raw: dict[str, Any], code: ErrorCode, words: str
) -> None:
    bench = bench_with(identity_workflows)
    result = await bench.run(raw)
    assert result.error is not None
    assert result.error.code is code
    assert words in result.error.message
    assert (bench.store.reads, bench.comfy.graphs) == ([], [])


def test_an_identity_workflow_that_wants_more_than_a_photo_is_refused(
    identity_workflows: Workflows,
) -> None:
    workflow = identity_workflows.get("tiny_identity", 1)
    slots = workflow.spec.slots
    slots["second"] = slots["photo"]
    job = IdentityJob.model_validate(identity_input())
    with pytest.raises(InvalidSlot, match="'second'"):
        plan_identity(job.identity, identity_workflows, "job_1")


async def test_an_identity_jobs_progress_goes_over_its_graph(
    identity_workflows: Workflows,
) -> None:
    bench = bench_with(identity_workflows, None)
    await bench.run(identity_input())
    last = bench.sink.progress[-1]
    assert (last.progress, last.page_number, last.current_step) == (1.0, None, "identity ready")
    fractions = [message.progress for message in bench.sink.progress]
    assert fractions == sorted(fractions)


def result_document(result: JobResult) -> dict[str, Any]:
    return result.model_dump(mode="json", exclude={"run", "seq"})


async def test_the_result_of_an_identity_job_looks_like_this(
    identity_workflows: Workflows,
) -> None:
    result = await bench_with(identity_workflows, None).run(identity_input())
    assert result_document(result) == {
        "type": "result",
        "version": 1,
        "job_id": "job-0",
        "dispatch": 1,
        "status": "completed",
        "pages": [],
        "identity": {
            "key": KEY,
            "sha256": sha256(identity_file()),
            "size_bytes": len(identity_file()),
            "extracted_at": "2026-01-01T00:00:00Z",
            "extracted": True,
            "extract_ms": 0.0,
        },
        "error": None,
        "total_ms": 0.0,
        "worker_id": "worker-1",
    }
