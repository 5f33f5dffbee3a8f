"""The rules of the queue, one by one, on a clock that tests own."""

from typing import Any

import pytest

from sandbox.control_plane.errors import NotFound, NotRetryable, QueueFull
from sandbox.control_plane.jobs import Job, JobState, Request
from sandbox.control_plane.queue import QUEUE_PER_WORKER, Queue, Rules
from tests.sandbox.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> Queue:
    return Queue(clock, Rules())


def request(**changes: Any) -> Request:
    return Request(**{"input": {}, "execution_timeout_s": 600.0, "ttl_s": 86400.0, **changes})


def taken(queue: Queue, worker: str = "w1", **changes: Any) -> Job:
    job = queue.submit(request(**changes))
    assert queue.take(worker) == [job]
    return job


def pass_time(queue: Queue, clock: FakeClock, seconds: float, *alive: str) -> None:
    """Let time go by in steps in which the named workers give signs of life."""
    for _ in range(int(seconds // 10)):
        clock.advance(10)
        for worker in alive:
            queue.heard_from(worker)
        queue.tick()
    clock.advance(seconds % 10)
    queue.tick()


def test_jobs_are_taken_in_the_order_they_came(queue: Queue) -> None:
    jobs = [queue.submit(request()) for _ in range(3)]
    assert queue.take("w1", limit=2) + queue.take("w2", limit=2) == jobs


def test_low_priority_waits_for_everything_else(queue: Queue) -> None:
    low = queue.submit(request(low_priority=True))
    normal = queue.submit(request())
    assert queue.take("w1", limit=2) == [normal, low]


def test_a_document_tells_delay_execution_and_worker(queue: Queue, clock: FakeClock) -> None:
    job = queue.submit(request())
    assert job.document(clock.now()) == {"id": job.id, "status": "IN_QUEUE"}
    clock.advance(1.5)
    queue.take("w1")
    clock.advance(0.25)
    queue.finish("w1", job.id, {"output": {"pages": 3}})
    clock.advance(9)
    assert job.document(clock.now()) == {
        "id": job.id,
        "status": "COMPLETED",
        "delayTime": 1500,
        "executionTime": 250,
        "workerId": "w1",
        "output": {"pages": 3},
    }


def test_only_a_string_is_an_error(queue: Queue) -> None:
    failed, odd = taken(queue), taken(queue)
    queue.finish("w1", failed.id, {"error": "broken"})
    queue.finish("w1", odd.id, {"error": {"message": "broken"}})
    assert failed.state is JobState.FAILED
    assert odd.state is JobState.COMPLETED


def test_progress_is_gone_when_the_result_has_no_output(queue: Queue, clock: FakeClock) -> None:
    job = taken(queue)
    queue.report_progress("w1", job.id, {"seq": 1})
    assert job.document(clock.now())["output"] == {"seq": 1}
    queue.finish("w1", job.id, {})
    assert "output" not in job.document(clock.now())


def test_posts_after_the_end_change_nothing_but_are_counted(queue: Queue) -> None:
    job = taken(queue)
    queue.finish("w1", job.id, {"output": 1})
    assert not queue.report_progress("w1", job.id, 2)
    assert not queue.finish("w1", job.id, {"output": 3})
    assert job.state is JobState.COMPLETED
    assert job.result == {"output": 1}
    assert queue.counters.late_posts == 2


def test_execution_timeout_ends_the_job_and_tells_the_worker(
    queue: Queue, clock: FakeClock
) -> None:
    job = taken(queue)
    pass_time(queue, clock, 600, "w1")
    assert job.state is JobState.TIMED_OUT
    assert queue.take_stops("w1") == [job.id]
    assert queue.take_stops("w1") == []


def test_waiting_does_not_count_as_execution(queue: Queue, clock: FakeClock) -> None:
    job = queue.submit(request(execution_timeout_s=10))
    pass_time(queue, clock, 60)
    assert job.state is JobState.IN_QUEUE


@pytest.mark.parametrize("running", [False, True])
def test_a_job_past_its_ttl_vanishes(queue: Queue, clock: FakeClock, running: bool) -> None:
    job = queue.submit(request(ttl_s=30))
    if running:
        queue.take("w1")
    pass_time(queue, clock, 30, "w1")
    with pytest.raises(NotFound):
        queue.find(job.id)
    assert queue.take_stops("w1") == ([job.id] if running else [])
    assert queue.health()["jobs"]["inQueue"] == 0
    assert queue.health()["jobs"]["inProgress"] == 0


def test_a_job_past_its_ttl_is_not_handed_out_between_two_ticks(
    queue: Queue, clock: FakeClock
) -> None:
    queue.submit(request(ttl_s=30))
    clock.advance(31)
    assert queue.take("w1") == []


@pytest.mark.parametrize(("sync", "kept_s"), [(False, 1800), (True, 60)])
def test_results_are_kept_thirty_minutes_or_one_if_sync(
    queue: Queue, clock: FakeClock, sync: bool, kept_s: float
) -> None:
    job = taken(queue, sync=sync)
    queue.finish("w1", job.id, {"output": 1})
    pass_time(queue, clock, kept_s - 1)
    assert queue.find(job.id) is job
    pass_time(queue, clock, 1)
    with pytest.raises(NotFound):
        queue.find(job.id)


def test_a_silent_worker_loses_its_job_to_the_front_of_the_queue(
    queue: Queue, clock: FakeClock
) -> None:
    job = taken(queue)
    queue.submit(request())
    pass_time(queue, clock, 21)
    assert job.state is JobState.IN_QUEUE
    assert queue.take("w2") == [job]
    assert job.document(clock.now())["retries"] == 1


def test_the_result_of_a_worker_that_was_given_up_is_ignored(
    queue: Queue, clock: FakeClock
) -> None:
    job = taken(queue)
    pass_time(queue, clock, 21)
    queue.take("w2")
    assert not queue.finish("w1", job.id, {"output": "late"})
    assert queue.finish("w2", job.id, {"output": "good"})
    assert job.result == {"output": "good"}


def test_a_job_that_outlives_three_workers_fails(queue: Queue, clock: FakeClock) -> None:
    job = queue.submit(request())
    for worker in ("w1", "w2", "w3"):
        assert queue.take(worker) == [job]
        pass_time(queue, clock, 21)
    assert job.state is JobState.FAILED
    assert "worker lost" in job.result["error"]


def test_a_worker_that_is_idle_again_gives_its_job_back(queue: Queue) -> None:
    job = taken(queue)
    queue.confirm_idle("w1")
    assert job.state is JobState.IN_QUEUE


def test_an_idle_worker_whose_result_was_refused_completes_the_job_empty(queue: Queue) -> None:
    job = taken(queue)
    queue.refuse_result("w1", job.id)
    queue.confirm_idle("w1")
    assert job.state is JobState.COMPLETED
    assert job.result == {}


def test_a_manual_retry_starts_counting_attempts_anew(queue: Queue, clock: FakeClock) -> None:
    job = queue.submit(request())
    for worker in ("w1", "w2", "w3"):
        queue.take(worker)
        pass_time(queue, clock, 21)
    queue.retry(job.id)
    queue.take("w4")
    pass_time(queue, clock, 21)
    assert job.state is JobState.IN_QUEUE


def test_a_result_after_the_ttl_is_late_even_between_two_ticks(
    queue: Queue, clock: FakeClock
) -> None:
    job = taken(queue, ttl_s=30)
    clock.advance(31)
    assert not queue.finish("w1", job.id, {"output": 1})
    assert queue.take_ended() == []


def test_cancelling_a_waiting_job_takes_it_out_of_the_queue(queue: Queue) -> None:
    job = queue.submit(request())
    queue.cancel(job.id)
    assert job.state is JobState.CANCELLED
    assert queue.take("w1") == []


def test_cancelling_what_has_ended_changes_nothing(queue: Queue) -> None:
    job = taken(queue)
    queue.finish("w1", job.id, {"output": 1})
    assert queue.cancel(job.id).state is JobState.COMPLETED
    assert queue.take_stops("w1") == []


def test_retry_keeps_the_id_and_drops_the_result(queue: Queue, clock: FakeClock) -> None:
    job = taken(queue)
    queue.finish("w1", job.id, {"error": "broken"})
    queue.retry(job.id)
    assert job.document(clock.now()) == {"id": job.id, "status": "IN_QUEUE"}
    assert queue.take("w1") == [job]


@pytest.mark.parametrize("end", ["wait", "run", "complete", "cancel"])
def test_only_failed_and_timed_out_jobs_are_retried(queue: Queue, end: str) -> None:
    job = queue.submit(request())
    if end != "wait":
        queue.take("w1")
    if end == "complete":
        queue.finish("w1", job.id, {"output": 1})
    if end == "cancel":
        queue.cancel(job.id)
    with pytest.raises(NotRetryable):
        queue.retry(job.id)


def test_purging_spares_what_runs(queue: Queue) -> None:
    running = taken(queue)
    waiting = [queue.submit(request()), queue.submit(request(low_priority=True))]
    assert queue.purge() == 2
    assert running.state is JobState.IN_PROGRESS
    assert {job.state for job in waiting} == {JobState.CANCELLED}


def test_a_queue_that_is_too_long_refuses(clock: FakeClock) -> None:
    queue = Queue(clock, Rules(workers_max=1))
    for _ in range(QUEUE_PER_WORKER):
        queue.submit(request())
    with pytest.raises(QueueFull):
        queue.submit(request())


def test_chunks_of_a_generator_are_read_once(queue: Queue) -> None:
    job = taken(queue)
    queue.append_chunk("w1", job.id, {"output": 1})
    assert queue.read_stream(job.id) == [{"output": 1}]
    assert queue.read_stream(job.id) == []


def test_health_counts_jobs_and_workers(queue: Queue) -> None:
    taken(queue, "w1")
    queue.submit(request())
    queue.heard_from("w2")
    assert queue.health() == {
        "jobs": {"completed": 0, "failed": 0, "inProgress": 1, "inQueue": 1, "retried": 0},
        "workers": {
            "idle": 1,
            "initializing": 0,
            "ready": 1,
            "running": 1,
            "throttled": 0,
            "unhealthy": 0,
        },
    }
