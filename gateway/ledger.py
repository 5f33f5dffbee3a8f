"""The render jobs in SQL: the only place where a job's row changes.

Every change is one transaction with the job's row held, so that several gateways can hear, submit
and ask about the same job at once. Methods block.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, Engine, and_, or_, select, update
from sqlalchemy.orm import Session, aliased

from contract.errors import ErrorCode, JobError
from contract.job import ObjectRef
from contract.result import JobResult, Progress
from contract.status import TERMINAL_STATUSES, JobStatus
from gateway import jobs
from gateway.due import is_due
from gateway.looks import Rendering
from gateway.ports import Clock, EndpointError, EndpointRejected
from gateway.records import AS_PAINTED, Job, Page, Photo, Preview, lock, reading, writing

CLAIM_LIFE = timedelta(seconds=60)
"""How long a gateway may take to submit a job before another one does it."""

LONGEST_PAUSE = timedelta(minutes=5)
"""An endpoint that asks for a longer pause is asked again after this one."""

_OPEN = (JobStatus.QUEUED, JobStatus.PROCESSING)


@dataclass(frozen=True)
class Claim:
    """The right to submit one dispatch of a job, and what its message is made of.

    ``finished`` are, by page number, the pages that a job enlarges.
    """

    job_id: str
    dispatch: int
    claimed_until: datetime
    rendering: Rendering
    preview: Preview
    photo: Photo
    pages: tuple[jobs.PageState, ...]
    finished: Mapping[int, ObjectRef]


@dataclass(frozen=True)
class Question:
    """A job about which the endpoint is to be asked."""

    job_id: str
    dispatch: int
    runpod_id: str | None
    pages: tuple[jobs.PageState, ...]


@dataclass(frozen=True)
class Heard:
    """What became of a message. ``applied`` is false if it told nothing new."""

    applied: bool
    preview_id: str
    status: JobStatus


class Ledger:
    """Reads and changes jobs.

    ``attempts`` is the budget of automatic attempts; ``quiet_s`` the silence, in seconds, after
    which a job is asked about; ``jitter`` returns random numbers of 0–1.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        attempts: int,
        quiet_s: float,
        jitter: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._attempts = attempts
        self._quiet = timedelta(seconds=quiet_s)
        self._jitter = jitter

    def due(self, limit: int) -> Sequence[str]:
        """Return the ids of jobs that wait to be submitted, the longest waiting first."""
        now = self._clock.now()
        with reading(self._engine) as session:
            return session.scalars(
                select(Job.job_id)
                .where(Job.status == JobStatus.QUEUED, *_may_be_submitted(now))
                .order_by(Job.next_dispatch_at)
                .limit(limit)
            ).all()

    def claim(self, job_id: str) -> Claim | None:
        """Begin the next dispatch of a job; None if it isn't due or another gateway has it.

        A job that turns out to have all its pages is completed instead.
        """
        now = self._clock.now()
        with writing(self._engine) as session:
            taken = session.execute(
                update(Job)
                .where(Job.job_id == job_id, Job.status == JobStatus.QUEUED)
                .where(*_may_be_submitted(now))
                .values(
                    claimed_until=now + CLAIM_LIFE,
                    dispatch=Job.dispatch + 1,
                    attempts=Job.attempts + 1,
                    runpod_id=None,
                    run=0,
                    seq=0,
                )
            )
            if not _touched(taken):
                return None
            row, state = _load(session, job_id)
            row.pages_sent = len(state.missing)
            if not state.missing:
                self._save(session, row, state, jobs.store_found(state, {}))
                return None
            preview = session.get_one(Preview, row.preview_id)
            return Claim(
                job_id=job_id,
                dispatch=row.dispatch,
                claimed_until=now + CLAIM_LIFE,
                rendering=Rendering.model_validate(row.rendering),
                preview=preview,
                photo=session.get_one(Photo, preview.photo_id),
                pages=tuple(state.missing),
                finished=_finished(session, job_id),
            )

    def accepted(self, claim: Claim, runpod_id: str) -> None:
        """The endpoint took the dispatch. Its worker may have spoken already, even to the end."""
        now = self._clock.now()
        with writing(self._engine) as session:
            row = lock(session, claim.job_id)
            if row is None or row.dispatch != claim.dispatch:
                return
            row.runpod_id = runpod_id
            row.refusals = 0
            if row.claimed_until == claim.claimed_until:
                row.claimed_until = row.next_dispatch_at = None
                row.ask_at = now + self._quiet
                row.current_step = jobs.SUBMITTED_STEP
                row.revision += 1

    def refused(self, claim: Claim, error: EndpointError) -> JobStatus | None:
        """The endpoint didn't take the dispatch: wait, or give up. Returns the job's state.

        A refusal costs no attempt. ``EndpointRejected`` and too many refusals in a row end it.
        """
        with writing(self._engine) as session:
            row, state = _load(session, claim.job_id)
            if row.dispatch != claim.dispatch or row.claimed_until != claim.claimed_until:
                return None
            row.refusals += 1
            rejected = isinstance(error, EndpointRejected)
            if rejected or row.refusals >= jobs.MAX_REFUSALS:
                # The message stays general: the endpoint's own words may carry anything.
                reason = "rejected the job" if rejected else "can't be reached"
                failure = JobError(
                    code=ErrorCode.ENDPOINT_UNAVAILABLE, message=f"the endpoint {reason}"
                )
                self._save(session, row, state, jobs.end_dispatch(state, failure, budget=0))
            else:
                row.attempts -= 1
                row.claimed_until = None
                pause = jobs.backoff_s(row.refusals, self._jitter())
                wanted = timedelta(seconds=max(pause, error.retry_after_s or 0.0))
                row.next_dispatch_at = self._clock.now() + min(wanted, LONGEST_PAUSE)
            return row.status

    def fail(self, job_id: str, dispatch: int, error: JobError) -> JobStatus | None:
        """The dispatch ended with ``error``, as the gateway found out. Returns the job's state."""
        with writing(self._engine) as session:
            row, state = _load(session, job_id)
            if row.dispatch == dispatch:
                outcome = jobs.end_dispatch(state, error, budget=self._attempts)
                self._save(session, row, state, outcome)
            return row.status

    def found(self, job_id: str, pages: dict[int, tuple[str, int]]) -> JobStatus:
        """PNGs of the job's pages lie in the store: page number → (sha256, bytes)."""
        with writing(self._engine) as session:
            row, state = _load(session, job_id)
            self._save(session, row, state, jobs.store_found(state, pages))
            return row.status

    def receive(
        self, message: Progress | JobResult, *, authoritative: bool = False
    ) -> Heard | None:
        """Apply a message of the worker; None if there is no such job."""
        with writing(self._engine) as session:
            if lock(session, message.job_id) is None:
                return None
            row, state = _load(session, message.job_id)
            outcome = jobs.apply(state, message, budget=self._attempts, authoritative=authoritative)
            self._save(session, row, state, outcome)
            return Heard(outcome.changed, row.preview_id, row.status)

    def quiet(self, limit: int) -> Sequence[str]:
        """Return the ids of jobs that the endpoint has and that are to be asked about."""
        with reading(self._engine) as session:
            return session.scalars(
                select(Job.job_id)
                .where(Job.status.in_(_OPEN), self._is_quiet(self._clock.now()))
                .where(Job.next_dispatch_at.is_(None))
                .order_by(Job.ask_at)
                .limit(limit)
            ).all()

    def _is_quiet(self, now: datetime) -> ColumnElement[bool]:
        return is_due(Job.ask_at, now, self._quiet)

    def take_question(self, job_id: str) -> Question | None:
        """Return what to ask about a quiet job; None if another gateway is asking already."""
        now = self._clock.now()
        with writing(self._engine) as session:
            taken = session.execute(
                update(Job)
                .where(Job.job_id == job_id, Job.status.in_(_OPEN), self._is_quiet(now))
                .where(Job.next_dispatch_at.is_(None))
                .values(ask_at=now + self._quiet)
            )
            if not _touched(taken):
                return None
            row, state = _load(session, job_id)
            return Question(job_id, row.dispatch, row.runpod_id, tuple(state.missing))

    def ask_now(self, job_id: str) -> bool:
        """Let the endpoint be asked about a job at once; false if there is nothing to ask."""
        with writing(self._engine) as session:
            changed = session.execute(
                update(Job)
                .where(Job.job_id == job_id, Job.status.in_(_OPEN))
                .where(Job.next_dispatch_at.is_(None))
                .values(ask_at=self._clock.now())
            )
            return _touched(changed)

    def cancel(self, row: Job) -> str | None:
        """Give a job up, in the caller's transaction; return RunPod's id of what is to be
        stopped there, if anything is. Nothing happens to a job that has ended."""
        if row.status.is_terminal:
            return None
        now = self._clock.now()
        row.status = JobStatus.CANCELLED
        row.current_step = "cancelled"
        row.revision += 1
        row.completed_at = now
        row.next_dispatch_at = row.claimed_until = row.ask_at = None
        return row.runpod_id

    def reopen(self, session: Session, row: Job) -> None:
        """Queue a failed job again, by hand, in the caller's transaction."""
        _, state = _load(session, row.job_id)
        now = self._clock.now()
        _write(session, row, jobs.reopen(state))
        row.revision += 1
        row.refusals = 0
        row.queued_at = row.next_dispatch_at = now
        row.claimed_until = row.ask_at = row.completed_at = row.started_at = None

    def _save(
        self, session: Session, row: Job, before: jobs.JobState, outcome: jobs.Outcome
    ) -> None:
        now = self._clock.now()
        after = outcome.job
        if outcome.heard and not after.status.is_terminal:
            row.heard_at = now
            # A word from this dispatch proves that the endpoint has it, whoever submitted it.
            row.claimed_until = row.next_dispatch_at = None
            row.ask_at = now + self._quiet
        if not outcome.changed:
            return
        _write(session, row, after)
        row.revision += 1
        if after.status is JobStatus.PROCESSING and row.started_at is None:
            row.started_at = now
        if outcome.retry:
            pause = jobs.backoff_s(max(after.attempts, 1), self._jitter())
            row.next_dispatch_at = now + timedelta(seconds=pause)
            row.claimed_until = row.ask_at = None
        if after.status in TERMINAL_STATUSES:
            row.next_dispatch_at = row.claimed_until = row.ask_at = None
            if before.status is not after.status:
                row.completed_at = now


def _may_be_submitted(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    free = or_(Job.claimed_until.is_(None), is_due(Job.claimed_until, now, CLAIM_LIFE))
    return is_due(Job.next_dispatch_at, now, LONGEST_PAUSE), free


def _touched(result: Any) -> bool:
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def _load(session: Session, job_id: str) -> tuple[Job, jobs.JobState]:
    row = session.get_one(Job, job_id, with_for_update=True, populate_existing=True)
    pages = session.scalars(select(Page).where(Page.job_id == job_id)).all()
    state = jobs.JobState(
        job_id=row.job_id,
        status=row.status,
        progress=row.progress,
        current_step=row.current_step,
        dispatch=row.dispatch,
        attempts=row.attempts,
        pages_sent=row.pages_sent,
        run=row.run,
        seq=row.seq,
        waiting=row.next_dispatch_at is not None and row.claimed_until is None,
        error=_error(row.error),
        pages={page.page_number: _page_state(page) for page in pages},
    )
    return row, state


def _finished(session: Session, job_id: str) -> dict[int, ObjectRef]:
    """The painted pages of the takes that the job enlarges; empty for a job that paints."""
    enlarged = aliased(Page)
    painted = session.scalars(
        select(Page)
        .join(
            enlarged,
            and_(
                Page.preview_id == enlarged.preview_id,
                Page.page_number == enlarged.page_number,
                Page.take == enlarged.take,
            ),
        )
        .where(enlarged.job_id == job_id, enlarged.variant != AS_PAINTED)
        .where(Page.variant == AS_PAINTED)
    )
    return {page.page_number: ObjectRef(key=page.key, sha256=page.sha256) for page in painted}


def _page_state(page: Page) -> jobs.PageState:
    return jobs.PageState(
        page_number=page.page_number,
        key=page.key,
        status=page.status,
        seed=page.seed,
        run=page.run,
        sha256=page.sha256,
        size_bytes=page.size_bytes,
        error=_error(page.error),
        timings=page.timings,
    )


def _error(stored: dict[str, Any] | None) -> JobError | None:
    return JobError.model_validate(stored) if stored else None


def _dumped(error: JobError | None) -> dict[str, Any] | None:
    return error.model_dump(mode="json") if error else None


def _write(session: Session, row: Job, state: jobs.JobState) -> None:
    row.status = state.status
    row.progress = state.progress
    row.current_step = state.current_step
    row.attempts = state.attempts
    row.run = state.run
    row.seq = state.seq
    row.error = _dumped(state.error)
    for page in session.scalars(select(Page).where(Page.job_id == row.job_id)):
        known = state.pages[page.page_number]
        if page.sha256 != known.sha256:
            page.preview_key = page.clean_key = None  # these copies are of another picture
        page.status = known.status
        page.seed = known.seed
        page.run = known.run
        page.sha256 = known.sha256
        page.size_bytes = known.size_bytes
        page.error = _dumped(known.error)
        page.timings = known.timings
