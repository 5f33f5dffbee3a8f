"""A job and what the public API says about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """The states of RunPod's job documents."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL

    @property
    def is_retryable(self) -> bool:
        return self in RETRYABLE


TERMINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT})
RETRYABLE = frozenset({JobState.FAILED, JobState.TIMED_OUT})


@dataclass(frozen=True)
class Request:
    """What a client asked for in `/run` or `/runsync`; times in seconds."""

    input: Mapping[str, Any]
    execution_timeout_s: float
    ttl_s: float
    low_priority: bool = False
    sync: bool = False
    webhook: str | None = None


@dataclass
class Job:
    """One job; every `_at` is a reading of the queue's clock in seconds."""

    id: str
    request: Request
    submitted_at: float
    state: JobState = JobState.IN_QUEUE
    worker_id: str | None = None
    started_at: float | None = None
    finished_at: float | None = None
    attempts: int = 0
    result_refused: bool = False
    result: dict[str, Any] = field(default_factory=dict)
    chunks: list[Any] = field(default_factory=list)
    chunks_read: int = 0

    @property
    def expires_at(self) -> float:
        """The hard end of the job, counted from its submission."""
        return self.submitted_at + self.request.ttl_s

    @property
    def execution_ends_at(self) -> float | None:
        if self.started_at is None or self.state is not JobState.IN_PROGRESS:
            return None
        return self.started_at + self.request.execution_timeout_s

    def document(self, now: float) -> dict[str, Any]:
        """The body of `/status`, and of the webhook; times in whole milliseconds.

        `output` holds the newest progress while the job is IN_PROGRESS.
        """
        document: dict[str, Any] = {"id": self.id, "status": self.state.value}
        if self.started_at is not None:
            document["delayTime"] = _milliseconds(self.started_at - self.submitted_at)
            if self.state.is_terminal or self.state is JobState.IN_PROGRESS:
                end = now if self.finished_at is None else self.finished_at
                document["executionTime"] = _milliseconds(end - self.started_at)
        if self.worker_id is not None:
            document["workerId"] = self.worker_id
        if self.attempts > 1:
            document["retries"] = self.attempts - 1
        return document | self.result

    def for_worker(self) -> dict[str, Any]:
        """The body of a job-take answer."""
        document: dict[str, Any] = {"id": self.id, "input": dict(self.request.input)}
        if self.request.webhook is not None:
            document["webhook"] = self.request.webhook
        return document


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
