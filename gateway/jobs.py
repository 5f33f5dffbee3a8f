"""The rules of a render job. Pure: states and messages in, states out.

A job is queued (waiting to be dispatched), with the endpoint, or ended::

    queued ──dispatch──▶ queued/processing ──▶ completed
      ▲                        │
      ├──retryable, budget left┤
      └──by hand──── failed ◀──┴──▶ cancelled

Messages arrive late, twice, out of order, from several runs of one dispatch and from older
dispatches. Three rules make the end independent of that:

1. A completed page is a fact, whoever tells it, provided that it lies under the key that was
   asked for. The newest run's word on a page stands. When every page is there the job is
   completed, even if it had been given up.
2. Everything else is only heard from the current dispatch, and only if its ``(run, seq)`` is
   newer than what was heard before.
3. ``completed`` and ``cancelled`` never change; ``failed`` changes only by rule 1, or by hand.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from contract.errors import ErrorCode, JobError
from contract.result import JobResult, PageResult, Progress
from contract.status import JobStatus, PageStatus

MAX_BACKOFF_S = 60.0
MAX_REFUSALS = 12
"""Refusals in a row after which the endpoint counts as unavailable: some seven minutes."""

QUEUED_STEP = "queued"
SUBMITTED_STEP = "waiting for a worker"

_UNFINISHED_CEILING = 0.99
_SEED_BITS = 53


@dataclass(frozen=True)
class PageState:
    """One page of a job. ``key`` is where its PNG is expected; ``run`` is who stored it."""

    page_number: int
    key: str
    status: PageStatus = PageStatus.PENDING
    seed: int = 0
    run: int = 0
    sha256: str | None = None
    size_bytes: int | None = None
    error: JobError | None = None
    timings: dict[str, Any] | None = None

    @property
    def is_completed(self) -> bool:
        """Whether the page's PNG is stored."""
        return self.status is PageStatus.COMPLETED


@dataclass(frozen=True)
class JobState:
    """What the rules need of a job. ``waiting`` means that a failure was seen and the next
    dispatch hasn't been claimed yet; ``pages_sent`` is how many pages this dispatch renders."""

    job_id: str
    status: JobStatus = JobStatus.QUEUED
    progress: float = 0.0
    current_step: str = ""
    dispatch: int = 0
    attempts: int = 0
    pages_sent: int = 0
    run: int = 0
    seq: int = 0
    waiting: bool = True
    error: JobError | None = None
    pages: Mapping[int, PageState] = field(default_factory=dict)

    @property
    def missing(self) -> list[PageState]:
        """The pages that aren't stored yet, by page number."""
        return [page for _, page in sorted(self.pages.items()) if not page.is_completed]


@dataclass(frozen=True)
class Outcome:
    """What a message made of a job. ``changed`` is false for a message that told nothing new;
    ``heard`` says that it came from the current dispatch; ``retry`` asks for another dispatch."""

    job: JobState
    changed: bool
    heard: bool
    retry: bool = False


def apply(
    job: JobState,
    message: Progress | JobResult,
    *,
    budget: int,
    authoritative: bool = False,
) -> Outcome:
    """Return what ``message`` makes of ``job``.

    ``budget`` is how many attempts are made without being asked. ``authoritative`` says that the
    endpoint itself holds this result to be the end of the dispatch, so that no newer message of
    another run can be waited for.

    Raises:
        ValueError: the message is another job's.
    """
    if message.job_id != job.job_id:
        raise ValueError("the message is another job's")
    merged = _merge_completed(job, message)
    heard = _is_heard(job, message, authoritative=authoritative)
    if heard and not job.status.is_terminal:
        merged = replace(
            merged,
            run=max(job.run, message.run),
            seq=message.seq if message.run >= job.run else job.seq,
        )
    if not merged.missing and job.status is not JobStatus.CANCELLED:
        return Outcome(_completed(merged), merged != job, heard)
    if job.status.is_terminal or not heard:
        return Outcome(merged, merged != job, heard)
    if isinstance(message, Progress):
        return Outcome(_advanced(merged, message), True, heard)
    merged = _merge_failed(merged, message.pages)
    return replace(_ended(merged, _reason(message), budget), heard=True)


def end_dispatch(job: JobState, error: JobError, *, budget: int) -> Outcome:
    """Return what it makes of ``job`` that its dispatch ended with ``error``, as the gateway
    itself found out. Nothing happens to a job that has ended or waits for its next dispatch."""
    if job.status.is_terminal or job.waiting:
        return Outcome(job, False, False)
    return _ended(job, error, budget)


def store_found(job: JobState, found: Mapping[int, tuple[str, int]]) -> Outcome:
    """Return what it makes of ``job`` that PNGs of missing pages lie in the store.

    ``found`` maps page numbers to (sha256, size in bytes).
    """
    pages = dict(job.pages)
    for number, (sha256, size_bytes) in found.items():
        page = pages[number]
        if not page.is_completed:
            pages[number] = replace(
                page, status=PageStatus.COMPLETED, sha256=sha256, size_bytes=size_bytes, error=None
            )
    merged = _raised(replace(job, pages=pages))
    if not merged.missing and not job.status.is_terminal:
        merged = _completed(merged)
    return Outcome(merged, merged != job, False)


def reopen(job: JobState) -> JobState:
    """Return a failed job as it is queued again by hand: a new budget, completed pages kept."""
    pages = {number: _pending(page) for number, page in job.pages.items()}
    return replace(
        job,
        status=JobStatus.QUEUED,
        current_step=QUEUED_STEP,
        attempts=0,
        waiting=True,
        error=None,
        pages=pages,
    )


def backoff_s(failures: int, jitter: float) -> float:
    """Return the pause before the next try, in seconds, after ``failures`` (≥ 1) in a row.

    Doubles from one second to a minute; ``jitter`` (0–1) takes up to half of it off, so that jobs
    that failed together don't come back together.
    """
    full = min(MAX_BACKOFF_S, 2.0 ** min(failures - 1, 10))
    return float(full * (1 - jitter / 2))


def seed_for(preview_id: str, page_number: int, take: int) -> int:
    """Return a page's seed (0 … 2**53-1): the same page and take always have the same."""
    digest = hashlib.sha256(f"{preview_id}/{page_number}/{take}".encode()).digest()
    return int.from_bytes(digest[:8]) >> (64 - _SEED_BITS)


def _is_heard(job: JobState, message: Progress | JobResult, *, authoritative: bool) -> bool:
    if message.dispatch != job.dispatch or job.waiting:
        return False
    return authoritative or (message.run, message.seq) > (job.run, job.seq)


def _merge_completed(job: JobState, message: Progress | JobResult) -> JobState:
    pages = dict(job.pages)
    for result in message.pages:
        page = pages.get(result.page_number)
        if page is None or result.image is None or result.status is not PageStatus.COMPLETED:
            continue
        if result.image.key == page.key and (not page.is_completed or message.run > page.run):
            pages[page.page_number] = replace(
                page,
                status=PageStatus.COMPLETED,
                seed=result.seed,
                run=message.run,
                sha256=result.image.sha256,
                size_bytes=result.image.size_bytes,
                error=None,
                timings=result.timings.model_dump(),
            )
    return _raised(replace(job, pages=pages))


def _merge_failed(job: JobState, results: list[PageResult]) -> JobState:
    pages = dict(job.pages)
    for result in results:
        page = pages.get(result.page_number)
        if page and not page.is_completed and result.status is PageStatus.FAILED:
            pages[page.page_number] = replace(page, status=PageStatus.FAILED, error=result.error)
    return replace(job, pages=pages)


def _advanced(job: JobState, message: Progress) -> JobState:
    """The job's progress over all its pages: those of older dispatches count as done."""
    job = _merge_failed(job, message.pages)
    total = len(job.pages)
    sent = job.pages_sent or total
    overall = 1 - (1 - message.progress) * sent / total
    return replace(
        job,
        status=JobStatus.PROCESSING,
        progress=max(job.progress, min(overall, _UNFINISHED_CEILING)),
        current_step=message.current_step,
    )


def _raised(job: JobState) -> JobState:
    """Progress is never less than the share of stored pages."""
    done = 1 - len(job.missing) / len(job.pages)
    return replace(job, progress=max(job.progress, min(done, _UNFINISHED_CEILING)))


def _completed(job: JobState) -> JobState:
    return replace(
        job,
        status=JobStatus.COMPLETED,
        progress=1.0,
        current_step="completed",
        waiting=False,
        error=None,
    )


def _ended(job: JobState, error: JobError, budget: int) -> Outcome:
    if error.code is ErrorCode.CANCELLED:
        ended = replace(job, status=JobStatus.CANCELLED, current_step="cancelled", error=error)
        return Outcome(ended, True, False)
    if error.code.retryable and job.attempts < budget:
        again = replace(
            job,
            status=JobStatus.QUEUED,
            current_step="waiting to try again",
            waiting=True,
            error=error,
            pages={number: _pending(page) for number, page in job.pages.items()},
        )
        return Outcome(again, True, False, retry=True)
    pages = {
        number: page
        if page.is_completed
        else replace(page, status=PageStatus.FAILED, error=page.error or error)
        for number, page in job.pages.items()
    }
    failed = replace(job, status=JobStatus.FAILED, current_step="failed", error=error, pages=pages)
    return Outcome(failed, True, False)


def _pending(page: PageState) -> PageState:
    return page if page.is_completed else replace(page, status=PageStatus.PENDING, error=None)


def _reason(message: JobResult) -> JobError:
    if message.error:
        return message.error
    if message.status is JobStatus.CANCELLED:
        return JobError(code=ErrorCode.CANCELLED, message="the job was cancelled")
    if message.status is JobStatus.COMPLETED:
        return JobError(code=ErrorCode.OUTPUT_MISSING, message="the result lacks pages")
    told = (page.error for page in message.pages if page.error)
    return next(told, JobError(code=ErrorCode.INTERNAL, message="the job failed without a reason"))
