"""States of a job and of a page."""

from enum import StrEnum


class JobStatus(StrEnum):
    """The state of a render job, as the gateway's callers see it."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended. A failed job may be retried by hand, as a new dispatch."""
        return self in TERMINAL_STATUSES


TERMINAL_STATUSES = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})


class PageStatus(StrEnum):
    """The state of one page of a job."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
