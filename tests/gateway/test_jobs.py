"""The rules of a job: whatever is lost, doubled or late, the end is right."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import ErrorCode, JobError
from contract.keys import page_key
from contract.result import JobResult, PageResult, Progress, StoredImage
from contract.status import JobStatus, PageStatus
from gateway.jobs import (
    JobState,
    PageState,
    apply,
    backoff_s,
    end_dispatch,
    reopen,
    seed_for,
    store_found,
)

PAGES = (1, 2, 3)
BUDGET = 3
LOST = JobError(code=ErrorCode.JOB_LOST, message="gone")


def job(**changes: object) -> JobState:
    """A job whose first dispatch is with the endpoint."""
    pages = {number: PageState(number, page_key("p1", number)) for number in PAGES}
    state = JobState(
        job_id="j1", dispatch=1, attempts=1, waiting=False, pages=pages, pages_sent=len(PAGES)
    )
    return replace(state, **changes)  # type: ignore[arg-type]  # any field, named by a test


def page(number: int, run: int = 1, key: str | None = None) -> PageResult:
    image = StoredImage(
        key=key or page_key("p1", number),
        sha256=f"{run:064x}",
        size_bytes=10 + run,
        width=1024,
        height=1024,
    )
    return PageResult(page_number=number, status=PageStatus.COMPLETED, seed=5, image=image)


def progress(
    share: float = 0.5, *, run: int = 1, seq: int = 1, dispatch: int = 1, done: tuple[int, ...] = ()
) -> Progress:
    return Progress(
        job_id="j1",
        dispatch=dispatch,
        run=run,
        seq=seq,
        progress=share,
        current_step=f"run {run} step {seq}",
        pages=[page(number, run) for number in done],
    )


def result(
    *,
    code: ErrorCode | None = None,
    run: int = 1,
    seq: int = 9,
    dispatch: int = 1,
    done: tuple[int, ...] = PAGES,
) -> JobResult:
    return JobResult(
        job_id="j1",
        dispatch=dispatch,
        run=run,
        seq=seq,
        status=JobStatus.FAILED if code else JobStatus.COMPLETED,
        pages=[page(number, run) for number in done],
        error=JobError(code=code, message="why") if code else None,
    )


def after(state: JobState, *messages: Progress | JobResult) -> JobState:
    for message in messages:
        state = apply(state, message, budget=BUDGET).job
    return state


# One run of a worker: it completes pages one by one, and ends well, badly, or not at all.
@st.composite
def runs(draw: st.DrawFn, run: int, dispatch: int) -> list[Progress | JobResult]:
    reached = draw(st.integers(0, len(PAGES)))
    told: list[Progress | JobResult] = []
    for count in range(reached + 1):
        told.append(
            progress(
                count / len(PAGES),
                run=run,
                seq=count + 1,
                dispatch=dispatch,
                done=PAGES[:count],
            )
        )
    if reached == len(PAGES):
        ending: list[Progress | JobResult] = [result(run=run, seq=9, dispatch=dispatch)]
    else:
        code = draw(st.sampled_from([ErrorCode.COMFY_DIED, ErrorCode.NODE_FAILED]))
        failure = result(code=code, run=run, seq=9, dispatch=dispatch, done=PAGES[:reached])
        ending = draw(st.sampled_from([[failure], []]))
    return told + ending


@st.composite
def deliveries(draw: st.DrawFn) -> list[Progress | JobResult]:
    """What arrives of several runs: some lost, some twice, in any order."""
    everything = [
        message
        for run in range(1, draw(st.integers(1, 3)) + 1)
        for message in draw(runs(run, dispatch=draw(st.sampled_from([1, 1, 2]))))
    ]
    arriving = draw(st.lists(st.sampled_from(everything), max_size=2 * len(everything)))
    return draw(st.permutations(arriving))


@given(deliveries())
def test_a_job_is_completed_exactly_when_every_page_was_told(
    messages: list[Progress | JobResult],
) -> None:
    told = {shown.page_number for message in messages for shown in message.pages}
    end = after(job(), *messages)
    assert (end.status is JobStatus.COMPLETED) == (told == set(PAGES))


@given(st.data())
def test_the_pages_dont_depend_on_the_order(data: st.DataObject) -> None:
    messages = data.draw(deliveries())
    shuffled = data.draw(st.permutations(messages))
    one, other = after(job(), *messages), after(job(), *shuffled)

    def stored(state: JobState) -> dict[int, tuple[int, str | None]]:
        return {n: (p.run, p.sha256) for n, p in state.pages.items() if p.is_completed}

    assert stored(one) == stored(other)


@given(deliveries())
def test_progress_never_falls_and_a_stored_page_is_never_lost(
    messages: list[Progress | JobResult],
) -> None:
    state = job()
    for message in messages:
        following = apply(state, message, budget=BUDGET).job
        assert following.progress >= state.progress
        done = {n for n, p in state.pages.items() if p.is_completed}
        assert all(following.pages[n].is_completed for n in done)
        assert (following.progress == 1.0) == (following.status is JobStatus.COMPLETED)
        if state.status is JobStatus.COMPLETED:
            assert following.status is JobStatus.COMPLETED
        state = following


@given(deliveries())
def test_a_message_heard_twice_changes_nothing(messages: list[Progress | JobResult]) -> None:
    state = job()
    for message in messages:
        state = apply(state, message, budget=BUDGET).job
        again = apply(state, message, budget=BUDGET)
        assert not again.changed
        assert again.job == state


def test_late_progress_doesnt_reopen_a_failed_job() -> None:
    end = after(job(), result(code=ErrorCode.NO_FACE, done=()), progress(seq=20))
    assert end.status is JobStatus.FAILED


def test_pages_that_arrive_after_all_complete_a_job_that_was_given_up() -> None:
    end = after(job(), result(code=ErrorCode.NO_FACE, done=(1,)), result(run=2))
    assert end.status is JobStatus.COMPLETED
    assert end.error is None


def test_a_cancelled_job_stays_cancelled() -> None:
    cancelled = replace(job(), status=JobStatus.CANCELLED)
    assert after(cancelled, result()).status is JobStatus.CANCELLED


def test_the_failure_of_an_older_run_is_ignored() -> None:
    end = after(job(), progress(run=2), result(code=ErrorCode.COMFY_DIED, run=1, done=()))
    assert end.status is JobStatus.PROCESSING


def test_the_endpoints_own_word_on_an_older_run_is_believed() -> None:
    told = result(code=ErrorCode.COMFY_DIED, run=1, done=())
    outcome = apply(after(job(), progress(run=2)), told, budget=BUDGET, authoritative=True)
    assert outcome.retry


def test_the_failure_of_an_older_dispatch_is_ignored() -> None:
    second = job(dispatch=2, attempts=2)
    end = after(second, result(code=ErrorCode.NO_FACE, done=(), run=99))
    assert end.status is JobStatus.QUEUED


def test_the_pages_of_an_older_dispatch_are_taken() -> None:
    end = after(job(dispatch=2, attempts=2), result(dispatch=1))
    assert end.status is JobStatus.COMPLETED


def test_a_page_under_another_key_isnt_taken() -> None:
    told = result(done=(1, 2))
    stray = page(3, key="pages/somebody_else/page_03.png")
    outcome = apply(job(), told.model_copy(update={"pages": [*told.pages, stray]}), budget=BUDGET)
    assert [missing.page_number for missing in outcome.job.missing] == [3]
    assert outcome.retry
    assert outcome.job.error
    assert outcome.job.error.code is ErrorCode.OUTPUT_MISSING


def test_a_page_that_wasnt_asked_for_isnt_taken() -> None:
    told = result(done=())
    stray = page(8)
    end = after(job(), told.model_copy(update={"pages": [stray]}))
    assert set(end.pages) == set(PAGES)


def test_a_message_of_another_job_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="another job"):
        apply(replace(job(), job_id="j2"), result(), budget=BUDGET)


def test_progress_counts_pages_of_earlier_dispatches_as_done() -> None:
    second = after(job(), result(code=ErrorCode.COMFY_DIED, done=(1, 2)))
    second = replace(second, dispatch=2, attempts=2, waiting=False, run=0, seq=0, pages_sent=1)
    assert after(second, progress(0.5, dispatch=2)).progress == pytest.approx(2.5 / 3)


def test_a_lost_dispatch_is_tried_again_until_the_budget_is_spent() -> None:
    assert end_dispatch(job(attempts=2), LOST, budget=BUDGET).retry
    spent = end_dispatch(job(attempts=3), LOST, budget=BUDGET)
    assert not spent.retry
    assert spent.job.status is JobStatus.FAILED


def test_losing_a_dispatch_twice_costs_one_attempt() -> None:
    waiting = end_dispatch(job(), LOST, budget=BUDGET).job
    assert not end_dispatch(waiting, LOST, budget=BUDGET).changed


def test_pages_found_in_the_store_complete_a_job() -> None:
    found = {number: (f"{number:064x}", 10) for number in PAGES}
    assert store_found(job(), found).job.status is JobStatus.COMPLETED


def test_retrying_by_hand_keeps_what_is_stored() -> None:
    failed = after(job(attempts=3), result(code=ErrorCode.COMFY_DIED, done=(2,)))
    opened = reopen(failed)
    assert (opened.status, opened.attempts, opened.error) == (JobStatus.QUEUED, 0, None)
    assert [missing.page_number for missing in opened.missing] == [1, 3]
    assert {missing.status for missing in opened.missing} == {PageStatus.PENDING}


@given(st.integers(1, 1000), st.floats(0, 1))
def test_a_pause_is_between_half_a_second_and_a_minute(failures: int, jitter: float) -> None:
    assert 0.5 <= backoff_s(failures, jitter) <= 60


def test_pauses_double() -> None:
    assert [backoff_s(n, 0.0) for n in (1, 2, 3, 7)] == [1, 2, 4, 60]


def test_a_seed_is_the_pages_own_and_exact_in_json() -> None:
    seeds = {seed_for("p1", number, take) for number in PAGES for take in (1, 2)}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**53 for seed in seeds)
    assert seed_for("p1", 1, 1) == seed_for("p1", 1, 1)
