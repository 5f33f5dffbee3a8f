"""The edge to RunPod: one job in, one answer out, and nothing but a contract error escapes."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from contract.errors import ErrorCode, JobError
from contract.job import JOB, HealthJob, IdentityJob, PagesJob
from contract.result import JobResult, PageResult
from contract.status import JobStatus, PageStatus
from contract.types import Identifier
from handler.errors import InvalidJob
from handler.failures import to_job_error, worst
from handler.graph import Workflows
from handler.health import Health
from handler.identity import ensure_identity
from handler.input_cache import InputCache
from handler.inputs import JobInputs
from handler.invalid import problems_of
from handler.pages import RUN_PREFIX, plan_identity, plan_pages
from handler.patient_store import PatientStore
from handler.ports import Clock, Comfy, ObjectStore, ProgressSink
from handler.progress import ProgressReporter
from handler.raw_workflows import RawWorkflows, raw_input
from handler.recovery import Recovery
from handler.rendering import Rendering
from handler.workspace import Workspace

_IDENTIFIER: TypeAdapter[str] = TypeAdapter(Identifier)
_CANCEL_S = 0.5  # for the last message of a cancelled job
_SETTLE_S = 10.0  # it takes less than one, and RunPod waits for the answer

EndStatus = Literal[JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    """One run of a job; ``number`` is the contract's ``run``, ``began`` a monotonic time."""

    job: PagesJob | IdentityJob
    number: int
    began: float
    reporter: ProgressReporter
    sink: ProgressSink
    recovery: Recovery


class Worker:
    """Handles jobs. ``open_sink`` makes the sink of one job from RunPod's id of it."""

    def __init__(
        self,
        *,
        comfy: Comfy,
        store: ObjectStore,
        workflows: Workflows,
        open_sink: Callable[[str], ProgressSink],
        clock: Clock,
        cache: InputCache | None = None,
        health: Health | None = None,
        raw: RawWorkflows | None = None,
        worker_id: str = "",
    ) -> None:
        self._comfy = comfy
        self._store = store
        self._workflows = workflows
        self._open_sink = open_sink
        self._clock = clock
        self._cache = cache
        self._health = health
        self._raw = raw
        self._worker_id = worker_id
        self._endings: set[asyncio.Task[JobResult]] = set()

    async def handle(self, runpod_job: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a job as RunPod hands it over, ``{"id": …, "input": …}``.

        Returns the JobResult as JSON data if every page, or the identity, is stored. Otherwise
        ``{"error": text}``, where the text is the JobResult as JSON: RunPod takes a job for
        failed only if ``error`` is a string. A health job is answered with a HealthReport, a raw
        workflow as :mod:`handler.raw_workflows` says.

        Beside any answer, ``refresh_worker`` asks RunPod for a fresh machine after this job.

        Raises:
            asyncio.CancelledError: RunPod stopped the job; the only exception.
        """
        runpod_id, given = str(runpod_job.get("id", "")), runpod_job.get("input")
        raw = raw_input(given)
        if raw is not None and self._raw is not None:
            return await self._ended(await self._raw.answer(raw, runpod_id))
        sink = self._open_sink(runpod_id)
        try:
            job = self._accepted(given, is_raw=raw is not None)
        except InvalidJob as error:
            result = self._refusal(given, runpod_id, error)
            await sink.send_result(result)
            return await self._ended(_answer(result))
        if isinstance(job, HealthJob):
            return await self._health_report(job)
        return await self._ended(await self._run(job, sink))

    def _accepted(self, given: Any, *, is_raw: bool) -> PagesJob | IdentityJob | HealthJob:
        if is_raw:
            raise InvalidJob("input: this worker takes no raw workflows (RAW_WORKFLOWS is off)")
        job = parse_job(given)
        if isinstance(job, HealthJob) and self._health is None:
            raise InvalidJob("kind: this worker makes no health reports")
        return job

    async def _health_report(self, job: HealthJob) -> dict[str, Any]:
        assert self._health is not None  # _accepted has seen to it
        try:
            report = await asyncio.to_thread(self._health.report, job.job_id)
        except Exception as error:
            return {"error": to_job_error(error).model_dump_json()}
        return report.model_dump(mode="json")

    async def _ended(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Count a job, and let ComfyUI settle if the job has made it load anew: now, that is
        between two jobs and not between two pages."""
        if self._health is not None:
            self._health.jobs_done += 1
        if "refresh_worker" not in answer:
            try:
                async with asyncio.timeout(_SETTLE_S):
                    await self._comfy.settle()
            except Exception as error:  # the job is none the worse for it
                log.warning("ComfyUI doesn't settle: %s: %s", type(error).__name__, error)
        return answer

    async def _run(self, job: PagesJob | IdentityJob, sink: ProgressSink) -> dict[str, Any]:
        number = int(self._clock.now().timestamp() * 1000)
        reporter = ProgressReporter(job, number, sink, self._clock)
        recovery = Recovery(self._comfy, self._clock, job.job_id)
        run = _Run(job, number, self._clock.monotonic(), reporter, sink, recovery)
        error: JobError | None = None
        pages = len(job.pages) if isinstance(job, PagesJob) else 0
        log.info("job begins", extra={"job_id": job.job_id, "kind": job.kind, "pages": pages})
        try:
            reporter.start()
            await self._carry_out(run)
        except asyncio.CancelledError:
            cancelled = JobError(code=ErrorCode.CANCELLED, message="the job was cancelled")
            with suppress(TimeoutError):  # a slow sink goes on alone: RunPod waits for us
                await asyncio.wait_for(self._finish(run, cancelled), _CANCEL_S)
            raise
        except Exception as failure:
            error = to_job_error(failure)
        result = await self._finish(run, error)
        return _answer(result, refresh=recovery.doubtful)

    async def _carry_out(self, run: "_Run") -> None:
        job, folder = run.job, f"{RUN_PREFIX}{secrets.token_hex(8)}"
        store = PatientStore(self._store, self._clock, job.job_id)
        workspace = Workspace(
            job_id=job.job_id,
            run=folder,
            comfy=self._comfy,
            store=store,
            clock=self._clock,
            reporter=run.reporter,
            inputs=JobInputs(store, self._comfy, folder, self._cache),
            recovery=run.recovery,
        )
        if isinstance(job, IdentityJob):
            plan = plan_identity(job.identity, self._workflows, folder)
            return await ensure_identity(plan, workspace, job.deadline_s)
        plans = plan_pages(job, self._workflows, folder)
        source = job.identity
        identity = None if source is None else plan_identity(source, self._workflows, folder)
        return await Rendering(workspace, plans, identity).render_all(job.deadline_s)

    async def _finish(self, run: "_Run", error: JobError | None) -> JobResult:
        """Send a job's result, to its end even if RunPod cancels us meanwhile."""
        task = asyncio.create_task(self._send_result(run, error))
        self._endings.add(task)  # the loop itself keeps no task alive
        task.add_done_callback(self._endings.discard)
        return await asyncio.shield(task)

    async def _send_result(self, run: "_Run", error: JobError | None) -> JobResult:
        await run.reporter.close()
        result = self._result(run, error)
        tags = {"job_id": result.job_id}
        log.info("job ends", extra={**tags, "status": result.status.value})
        try:
            await run.sink.send_result(result)
        except Exception:
            log.exception("a result sink failed", extra=tags)
        return result

    def _result(self, run: "_Run", error: JobError | None) -> JobResult:
        pages = sorted(run.reporter.ended, key=lambda page: page.page_number)
        error = error or _job_error(pages)
        return JobResult(
            job_id=run.job.job_id,
            dispatch=run.job.dispatch,
            run=run.number,
            seq=run.reporter.next_seq(),
            status=_status(error),
            pages=pages,
            identity=run.reporter.identity,
            error=error,
            total_ms=max(0.0, (self._clock.monotonic() - run.began) * 1000),
            worker_id=self._worker_id,
        )

    def _refusal(self, raw: Any, runpod_id: str, error: InvalidJob) -> JobResult:
        """The result of an input that is no job, under the best id that can be had."""
        fields = raw if isinstance(raw, dict) else {}
        dispatch = fields.get("dispatch")
        log.warning("job refused: %s", error)
        return JobResult(
            job_id=_first_identifier(fields.get("job_id"), runpod_id),
            dispatch=dispatch if type(dispatch) is int and dispatch >= 1 else 1,
            run=int(self._clock.now().timestamp() * 1000),
            seq=1,
            status=JobStatus.FAILED,
            pages=[],
            error=to_job_error(error),
            worker_id=self._worker_id,
        )


def parse_job(raw: Any) -> PagesJob | IdentityJob | HealthJob:
    """Return the job in a RunPod input.

    Raises:
        InvalidJob: it breaks the contract. Names the places, and never echoes a value: an input
            may hold a child's name.
    """
    try:
        return JOB.validate_python(raw)
    except ValidationError as error:
        # A place begins with the job's kind, as the union tells them apart.
        raise InvalidJob(problems_of(error, skip=1)) from None


def _job_error(pages: list[PageResult]) -> JobError | None:
    errors = [page.error for page in pages if page.error is not None]
    if errors:
        return worst(errors)
    incomplete = any(page.status is not PageStatus.COMPLETED for page in pages)
    return JobError(code=ErrorCode.INTERNAL, message="a page is missing") if incomplete else None


def _status(error: JobError | None) -> EndStatus:
    if error is None:
        return JobStatus.COMPLETED
    return JobStatus.CANCELLED if error.code is ErrorCode.CANCELLED else JobStatus.FAILED


def _answer(result: JobResult, *, refresh: bool = False) -> dict[str, Any]:
    """The SDK takes ``error`` and ``refresh_worker`` out of an answer; the rest is its output."""
    completed = result.status is JobStatus.COMPLETED
    answer: dict[str, Any] = (
        result.model_dump(mode="json") if completed else {"error": result.model_dump_json()}
    )
    if refresh:
        log.warning("a fresh machine is asked for", extra={"job_id": result.job_id})
        answer["refresh_worker"] = True
    return answer


def _first_identifier(*candidates: Any) -> str:
    for candidate in candidates:
        try:
            return _IDENTIFIER.validate_python(candidate, strict=True)
        except ValidationError:
            continue
    return "unknown"
