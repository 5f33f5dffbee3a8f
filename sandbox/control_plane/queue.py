"""The queue: jobs, workers and the rules between them. No I/O; time comes from a clock."""

import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.control_plane.clock import Clock
from sandbox.control_plane.errors import NotFound, NotRetryable, QueueFull
from sandbox.control_plane.jobs import Job, JobState, Request

# Fewer waiting jobs than this are never refused; per worker, so many may wait (RunPod's docs).
QUEUE_ALWAYS_ACCEPTS = 50
QUEUE_PER_WORKER = 500


@dataclass(frozen=True)
class Rules:
    """The endpoint's limits in seconds and counts; the defaults are RunPod's.

    `worker_lost_s` and `max_attempts` are undocumented there, so these are our guesses.
    """

    execution_timeout_s: float = 600.0
    ttl_s: float = 24 * 3600.0
    retention_async_s: float = 30 * 60.0
    retention_sync_s: float = 60.0
    worker_lost_s: float = 20.0
    max_attempts: int = 3
    workers_max: int = 3


@dataclass
class Worker:
    """A worker that was heard of; `seen_at` is a reading of the clock in seconds."""

    id: str
    seen_at: float
    jobs: set[str] = field(default_factory=set)
    stops: list[str] = field(default_factory=list)


@dataclass
class Counters:
    """Totals since the start."""

    completed: int = 0
    failed: int = 0
    retried: int = 0
    workers_lost: int = 0
    late_posts: int = 0


class Queue:
    """One endpoint's jobs and workers."""

    def __init__(self, clock: Clock, rules: Rules) -> None:
        self.rules = rules
        self.counters = Counters()
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._workers: dict[str, Worker] = {}
        self._waiting: deque[str] = deque()
        self._waiting_low: deque[str] = deque()
        self._ended: list[Job] = []

    # What clients do.

    def submit(self, request: Request) -> Job:
        """Put a job in the queue.

        Raises QueueFull.
        """
        waiting = len(self._waiting) + len(self._waiting_low)
        if waiting >= max(QUEUE_ALWAYS_ACCEPTS, self.rules.workers_max * QUEUE_PER_WORKER):
            raise QueueFull("too many jobs are waiting for this endpoint")
        # RunPod's ids end in the region; sync ones say that they are.
        prefix = "sync-" if request.sync else ""
        job = Job(f"{prefix}{uuid.uuid4()}-e1", request, submitted_at=self._clock.now())
        self._jobs[job.id] = job
        self._line(job).append(job.id)
        return job

    def find(self, job_id: str) -> Job:
        """Raises NotFound for a job that never was, expired, or outlived its retention."""
        job = self._jobs.get(job_id)
        if job is None or self._is_gone(job):
            raise NotFound("job not found")
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a waiting or running job; one that has ended stays as it is.

        Raises NotFound.
        """
        job = self.find(job_id)
        if not job.state.is_terminal:
            self._tell_to_stop(job)
            self._end(job, JobState.CANCELLED, {})
        return job

    def retry(self, job_id: str) -> Job:
        """Queue a failed or timed-out job again, under its id and without its old result.

        Raises NotFound, NotRetryable.
        """
        job = self.find(job_id)
        if not job.state.is_retryable:
            raise NotRetryable(f"a job that is {job.state} can't be retried")
        self.counters.retried += 1
        job.attempts = 0
        self._requeue(job, front=False)
        return job

    def purge(self) -> int:
        """Cancel every waiting job; says how many."""
        waiting = [*self._waiting, *self._waiting_low]
        for job_id in waiting:
            self._end(self._jobs[job_id], JobState.CANCELLED, {})
        return len(waiting)

    def read_stream(self, job_id: str) -> list[Any]:
        """The chunks that arrived since the last call.

        Raises NotFound.
        """
        job = self.find(job_id)
        fresh = job.chunks[job.chunks_read :]
        job.chunks_read = len(job.chunks)
        return fresh

    # What workers do.

    def heard_from(self, worker_id: str) -> Worker:
        """Note a sign of life."""
        worker = self._workers.setdefault(worker_id, Worker(worker_id, self._clock.now()))
        worker.seen_at = self._clock.now()
        return worker

    def confirm_idle(self, worker_id: str) -> None:
        """The worker says that it holds no job: what we think it holds won't get a result.

        If it tried to post one and was refused, the job reads COMPLETED without output, as on
        RunPod. Otherwise the process was restarted under the same id, and the job goes back.
        """
        worker = self.heard_from(worker_id)
        for job_id in sorted(worker.jobs):
            job = self._jobs[job_id]
            if job.result_refused:
                self._end(job, JobState.COMPLETED, {})
            else:
                self._give_back(job)

    def take(self, worker_id: str, limit: int = 1) -> list[Job]:
        """Hand up to `limit` waiting jobs to the worker, low priority last."""
        worker = self.heard_from(worker_id)
        taken: list[Job] = []
        for line in (self._waiting, self._waiting_low):
            while line and len(taken) < limit:
                job = self._jobs[line.popleft()]
                if self._is_gone(job):
                    continue
                job.state = JobState.IN_PROGRESS
                job.worker_id = worker_id
                job.started_at = self._clock.now()
                job.attempts += 1
                worker.jobs.add(job.id)
                taken.append(job)
        return taken

    def report_progress(self, worker_id: str, job_id: str, output: Any) -> bool:
        """Show `output` in `/status`; False if the worker doesn't hold the job."""
        job = self._held(worker_id, job_id)
        if job is not None:
            job.result = {"output": output}
        return job is not None

    def append_chunk(self, worker_id: str, job_id: str, chunk: Any) -> bool:
        """Keep one chunk of a generator; False if the worker doesn't hold the job."""
        job = self._held(worker_id, job_id)
        if job is not None:
            job.chunks.append(chunk)
        return job is not None

    def finish(self, worker_id: str, job_id: str, result: Mapping[str, Any]) -> bool:
        """End a job with the worker's result; False if the worker doesn't hold the job.

        Only a string makes an error: any other kind reads as COMPLETED, as on RunPod.
        """
        job = self._held(worker_id, job_id)
        if job is None:
            return False
        public = {key: result[key] for key in ("output", "error") if key in result}
        failed = isinstance(public.get("error"), str)
        self._end(job, JobState.FAILED if failed else JobState.COMPLETED, public)
        return True

    def refuse_result(self, worker_id: str, job_id: str) -> None:
        """Remember that a result was offered and not accepted."""
        job = self._held(worker_id, job_id)
        if job is not None:
            job.result_refused = True

    def take_stops(self, worker_id: str) -> list[str]:
        """The ids of jobs that this worker must stop, told once."""
        worker = self.heard_from(worker_id)
        stops, worker.stops = worker.stops, []
        return stops

    # What time does.

    def tick(self) -> None:
        """Apply expiry, retention, timeouts and lost workers as of now."""
        now = self._clock.now()
        for job in list(self._jobs.values()):
            ends_at = job.execution_ends_at
            if self._is_gone(job):
                self._forget(job)
            elif ends_at is not None and now >= ends_at:
                self._tell_to_stop(job)
                self._end(job, JobState.TIMED_OUT, {"error": "executionTimeout exceeded"})
        for worker in list(self._workers.values()):
            if now - worker.seen_at > self.rules.worker_lost_s:
                self._lose(worker)

    def take_ended(self) -> list[Job]:
        """The jobs that ended since the last call, for their webhooks."""
        ended, self._ended = self._ended, []
        return ended

    def health(self) -> dict[str, dict[str, int]]:
        """The body of `/health`."""
        running = sum(1 for worker in self._workers.values() if worker.jobs)
        idle = len(self._workers) - running
        return {
            "jobs": {
                "completed": self.counters.completed,
                "failed": self.counters.failed,
                "inProgress": sum(len(worker.jobs) for worker in self._workers.values()),
                "inQueue": len(self._waiting) + len(self._waiting_low),
                "retried": self.counters.retried,
            },
            "workers": {
                "idle": idle,
                "initializing": 0,
                "ready": idle,
                "running": running,
                "throttled": 0,
                "unhealthy": 0,
            },
        }

    # How it is done.

    def _line(self, job: Job) -> deque[str]:
        return self._waiting_low if job.request.low_priority else self._waiting

    def _held(self, worker_id: str, job_id: str) -> Job | None:
        worker = self.heard_from(worker_id)
        if job_id not in worker.jobs or self._is_gone(self._jobs[job_id]):
            self.counters.late_posts += 1
            return None
        return self._jobs[job_id]

    def _is_gone(self, job: Job) -> bool:
        now = self._clock.now()
        if now >= job.expires_at:
            return True
        retention = (
            self.rules.retention_sync_s if job.request.sync else self.rules.retention_async_s
        )
        return job.finished_at is not None and now >= job.finished_at + retention

    def _release(self, job: Job) -> None:
        """Take the job out of its line and out of its worker's hands."""
        line = self._line(job)
        if job.id in line:
            line.remove(job.id)
        if job.worker_id in self._workers:
            self._workers[job.worker_id].jobs.discard(job.id)

    def _tell_to_stop(self, job: Job) -> None:
        if job.state is JobState.IN_PROGRESS and job.worker_id in self._workers:
            self._workers[job.worker_id].stops.append(job.id)

    def _end(self, job: Job, state: JobState, result: dict[str, Any]) -> None:
        self._release(job)
        job.state = state
        job.result = result
        job.finished_at = self._clock.now()
        self.counters.completed += state is JobState.COMPLETED
        self.counters.failed += state.is_retryable
        self._ended.append(job)

    def _requeue(self, job: Job, *, front: bool) -> None:
        self._release(job)
        job.state = JobState.IN_QUEUE
        job.worker_id = job.started_at = job.finished_at = None
        job.result_refused = False
        job.result = {}
        job.chunks, job.chunks_read = [], 0
        line = self._line(job)
        if front:
            line.appendleft(job.id)
        else:
            line.append(job.id)

    def _give_back(self, job: Job) -> None:
        """After a lost worker: another attempt, or FAILED when there were enough."""
        if job.attempts >= self.rules.max_attempts:
            self._end(job, JobState.FAILED, {"error": "worker lost, no attempts left"})
        else:
            self.counters.retried += 1
            self._requeue(job, front=True)

    def _lose(self, worker: Worker) -> None:
        self.counters.workers_lost += bool(worker.jobs)
        for job_id in sorted(worker.jobs):
            self._give_back(self._jobs[job_id])
        del self._workers[worker.id]

    def _forget(self, job: Job) -> None:
        self._tell_to_stop(job)
        self._release(job)
        del self._jobs[job.id]
