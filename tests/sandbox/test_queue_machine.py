"""The queue under any order of events, checked against what must always hold."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from sandbox.control_plane.errors import NotFound, NotRetryable
from sandbox.control_plane.jobs import Job, JobState, Request
from sandbox.control_plane.queue import Queue, Rules
from tests.sandbox.fakes import FakeClock

WORKERS = st.sampled_from(["w1", "w2", "w3"])

ALLOWED = {
    JobState.IN_QUEUE: {JobState.IN_PROGRESS, JobState.CANCELLED},
    JobState.IN_PROGRESS: {
        JobState.IN_QUEUE,
        JobState.COMPLETED,
        JobState.FAILED,
        JobState.CANCELLED,
        JobState.TIMED_OUT,
    },
    JobState.COMPLETED: set(),
    JobState.CANCELLED: set(),
    JobState.FAILED: {JobState.IN_QUEUE},
    JobState.TIMED_OUT: {JobState.IN_QUEUE},
}


class QueueMachine(RuleBasedStateMachine):
    """Clients, workers and time do what they like."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.limits = Rules(execution_timeout_s=40, ttl_s=300, worker_lost_s=20, max_attempts=3)
        self.queue = Queue(self.clock, self.limits)
        self.known: dict[str, Job] = {}
        self.last: dict[str, JobState] = {}
        self.ended: list[str] = []

    @rule(target=jobs, low=st.booleans(), sync=st.booleans())
    def submit(self, low: bool, sync: bool) -> str:
        job = self.queue.submit(Request({}, 40, 300, low_priority=low, sync=sync))
        self.known[job.id] = job
        self.last[job.id] = job.state
        return job.id

    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def take(self, worker: str, limit: int) -> None:
        for job in self.queue.take(worker, limit):
            assert job.state is JobState.IN_PROGRESS
            assert job.worker_id == worker

    @rule(worker=WORKERS)
    def ping(self, worker: str) -> None:
        self.queue.heard_from(worker)

    @rule(worker=WORKERS)
    def come_back_idle(self, worker: str) -> None:
        self.queue.confirm_idle(worker)
        assert not any(
            job.worker_id == worker and job.state is JobState.IN_PROGRESS
            for job in self.living().values()
        )

    @rule(worker=WORKERS, job_id=jobs, error=st.booleans())
    def finish(self, worker: str, job_id: str, error: bool) -> None:
        body = {"error": "no"} if error else {"output": worker}
        held = self.is_held(worker, job_id)
        assert self.queue.finish(worker, job_id, body) == held
        if held:
            assert self.known[job_id].result == body

    @rule(worker=WORKERS, job_id=jobs)
    def report(self, worker: str, job_id: str) -> None:
        assert self.queue.report_progress(worker, job_id, 1) == self.is_held(worker, job_id)

    @rule(worker=WORKERS, job_id=jobs)
    def refuse(self, worker: str, job_id: str) -> None:
        self.queue.refuse_result(worker, job_id)

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        if job_id in self.living():
            assert self.queue.cancel(job_id).state.is_terminal

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        job = self.living().get(job_id)
        if job is None:
            return
        retryable = job.state.is_retryable
        try:
            self.queue.retry(job_id)
        except NotRetryable:
            assert not retryable
        else:
            assert retryable
            assert job.state is JobState.IN_QUEUE

    @rule()
    def purge(self) -> None:
        waiting = sum(job.state is JobState.IN_QUEUE for job in self.living().values())
        assert self.queue.purge() == waiting

    @rule(worker=WORKERS)
    def read_stops(self, worker: str) -> None:
        for job_id in self.queue.take_stops(worker):
            assert job_id in self.known

    @rule(seconds=st.sampled_from([0.5, 5.0, 15.0, 45.0, 90.0]))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.queue.tick()

    @rule(job_id=consumes(jobs))
    def lose_interest(self, job_id: str) -> None:
        """Let the other rules work on fresh jobs too."""

    @invariant()
    def states_move_only_where_they_may(self) -> None:
        for job_id, job in self.known.items():
            before = self.last[job_id]
            # One event may end an attempt and, by way of the queue, begin nothing else.
            assert job.state is before or job.state in ALLOWED[before]
            self.last[job_id] = job.state

    @invariant()
    def counts_agree_with_the_jobs(self) -> None:
        states = [job.state for job in self.living().values()]
        counts = self.queue.health()["jobs"]
        assert counts["inQueue"] == states.count(JobState.IN_QUEUE)
        assert counts["inProgress"] == states.count(JobState.IN_PROGRESS)

    @invariant()
    def every_end_is_told_once(self) -> None:
        for job in self.queue.take_ended():
            assert job.finished_at is not None
            self.ended.append(job.id)
        for job_id, job in self.known.items():
            if job.state.is_terminal:
                assert job_id in self.ended

    @invariant()
    def attempts_are_bounded_and_times_in_order(self) -> None:
        for job in self.known.values():
            assert job.attempts <= self.limits.max_attempts
            if job.started_at is not None:
                assert job.started_at >= job.submitted_at
            if job.finished_at is not None:
                assert job.finished_at >= (job.started_at or job.submitted_at)

    def living(self) -> dict[str, Job]:
        found = {}
        for job_id in self.known:
            try:
                found[job_id] = self.queue.find(job_id)
            except NotFound:
                continue
        return found

    def is_held(self, worker: str, job_id: str) -> bool:
        job = self.living().get(job_id)
        return job is not None and job.state is JobState.IN_PROGRESS and job.worker_id == worker


QueueMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)
TestQueueMachine = QueueMachine.TestCase
