"""The edge to RunPod: what the SDK itself makes of the worker's answers, and how soon they come."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from contract.errors import ErrorCode, JobError
from contract.result import HealthReport, JobResult, PageResult
from contract.status import JobStatus, PageStatus
from handler.errors import GpuOutOfMemory
from handler.graph import Workflows
from handler.health import Health, Machine
from handler.models import HashCache, ModelFiles
from handler.raw_workflows import MAX_ANSWER_BYTES
from handler.worker import Worker
from tests.contract.examples import page_completed
from tests.handler.bench import PHOTO, Bench
from tests.handler.fakes import FakeClock, FakeComfy, MemoryStore, RecordingSink, job_input

pytestmark = pytest.mark.anyio


class SlowSink(RecordingSink):
    """Nobody takes the result."""

    async def send_result(self, result: JobResult) -> None:
        await super().send_result(result)
        await asyncio.Event().wait()


def worker_on(
    workflows: Workflows,
    *,
    comfy: FakeComfy | None = None,
    sink: RecordingSink | None = None,
    health: Health | None = None,
) -> Worker:
    return Worker(
        comfy=comfy or FakeComfy(),
        store=MemoryStore(PHOTO),
        workflows=workflows,
        open_sink=lambda _: sink or RecordingSink(),
        clock=FakeClock(),
        health=health,
        worker_id="worker-1",
    )


async def as_posted(worker: Worker, raw: Any) -> dict[str, Any]:
    """What the real SDK posts to RunPod for a job."""
    from runpod.serverless.modules.rp_job import run_job

    posted: dict[str, Any] = await run_job(worker.handle, {"id": "runpod-1", "input": raw})
    return posted


async def test_a_completed_job_is_posted_as_an_output(workflows: Workflows) -> None:
    posted = await as_posted(worker_on(workflows), job_input())
    assert set(posted) == {"output"}
    assert JobResult.model_validate(posted["output"]).status is JobStatus.COMPLETED


async def test_a_machine_in_doubt_is_stopped_after_a_job_that_failed(workflows: Workflows) -> None:
    full = FakeComfy(GpuOutOfMemory("full"), GpuOutOfMemory("full"))
    posted = await as_posted(worker_on(workflows, comfy=full), job_input())
    assert set(posted) == {"error", "stopPod"}
    assert posted["stopPod"] is True
    assert JobResult.model_validate_json(posted["error"]).status is JobStatus.FAILED


async def test_a_page_that_was_saved_at_the_second_try_raises_no_doubt(
    workflows: Workflows,
) -> None:
    bench = Bench(workflows, FakeComfy(GpuOutOfMemory("full")))
    assert (await bench.run(job_input())).status is JobStatus.COMPLETED
    assert not bench.refreshes


async def test_a_health_job_is_answered_with_a_report(workflows: Workflows, tmp_path: Path) -> None:
    machine = Machine(tmp_path, tmp_path, tmp_path, lambda: True, lambda: "")
    models = ModelFiles({}, [], HashCache(tmp_path / "hashes.json"))
    health = Health(machine, workflows, [], models, FakeClock(), "worker-1")
    sink = RecordingSink()
    worker = worker_on(workflows, sink=sink, health=health)
    await worker.handle({"id": "runpod-1", "input": job_input()})
    assert len(sink.results) == 1
    posted = await as_posted(worker, {"kind": "health", "job_id": "job-9"})
    report = HealthReport.model_validate(posted["output"])
    assert (report.job_id, report.jobs_done, report.comfyui_alive) == ("job-9", 1, True)
    assert len(sink.results) == 1  # the gateway hasn't asked


async def test_a_cancelled_job_ends_although_nobody_takes_its_messages(
    workflows: Workflows,
) -> None:
    comfy, sink = FakeComfy(hangs=True), SlowSink(stuck=True)
    job = {"id": "runpod-1", "input": job_input()}
    task = asyncio.create_task(worker_on(workflows, comfy=comfy, sink=sink).handle(job))
    await comfy.rendering.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert comfy.interrupted == 1
    assert comfy.files == {}


async def test_the_largest_result_fits_into_runpods_answer() -> None:
    error = JobError(
        code=ErrorCode.NODE_FAILED, message="x" * 2000, node="n" * 200, input="i" * 200
    )
    failed = page_completed().model_copy(update={"status": PageStatus.FAILED, "error": error})
    pages = [PageResult.model_validate(failed.model_dump())] * 200
    result = JobResult(
        job_id="j" * 64, dispatch=1, run=1, seq=1, status=JobStatus.FAILED, pages=pages, error=error
    )
    assert len(json.dumps({"error": result.model_dump_json()})) < MAX_ANSWER_BYTES // 10
