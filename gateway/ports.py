"""What the gateway needs of the world, as it needs it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from contract.job import PagesJob


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The current time, timezone-aware, UTC."""
        ...


class ObjectStore(Protocol):
    """Objects under keys. Methods block; errors are ``storage.errors.StoreError``."""

    def put(self, key: str, data: bytes, content_type: str) -> None: ...
    def get(self, key: str, max_bytes: int) -> bytes: ...
    def exists(self, key: str) -> bool: ...
    def delete(self, key: str) -> None: ...
    def ping(self) -> None: ...


class KeyValue(Protocol):
    """A mirror of small values with a life. Never the truth: any value may be missing.

    Methods block. Keys are up to 512 characters; values are up to 1 MiB.
    """

    def get(self, key: str) -> bytes | None: ...
    def put(self, key: str, value: bytes, ttl_s: int) -> None: ...
    def delete(self, key: str) -> None: ...
    def ping(self) -> None: ...


class EndpointState(StrEnum):
    """RunPod's job states (``RUNNING`` is read as ``IN_PROGRESS``)."""

    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True)
class EndpointJob:
    """A job as the endpoint tells it. ``output`` and ``error`` are unchecked JSON."""

    runpod_id: str
    state: EndpointState
    output: Any = None
    error: Any = None


class EndpointError(Exception):
    """The endpoint can't be reached or refused; trying later may help.

    ``retry_after_s`` is what it asked for, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EndpointRejected(EndpointError):
    """The endpoint will never take this request (400, 401, 413): trying again is useless."""


class RenderEndpoint(Protocol):
    """The RunPod endpoint that renders pages. All may raise EndpointError."""

    async def submit(self, job: PagesJob, *, webhook_url: str) -> str:
        """Queue the job and return RunPod's id of it."""
        ...

    async def status(self, runpod_id: str) -> EndpointJob | None:
        """The job's state, or None if the endpoint no longer (or never) knew it."""
        ...

    async def cancel(self, runpod_id: str) -> None:
        """Cancel the job; nothing happens if it has ended."""
        ...

    async def health(self) -> dict[str, Any]:
        """The endpoint's own health document: counts of jobs and workers."""
        ...


@dataclass(frozen=True)
class Face:
    """A face in a photo. ``box`` is left, top, right, bottom in pixels; confidence is 0–1."""

    box: tuple[float, float, float, float]
    confidence: float


class FaceDetector(Protocol):
    """Finds faces."""

    def detect(self, rgb: Any) -> list[Face]:
        """Faces in an RGB uint8 array [H,W,3], the most confident first. Blocks."""
        ...
