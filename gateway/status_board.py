"""Where job states are read: documents ready to send, in memory, in the KV mirror, in SQL.

SQL is the truth. The mirror lets several gateways follow a job without asking SQL for every poll;
memory makes a poll cost next to nothing. What a reader gets is at most ``FRESH_S`` behind the
mirror, and a running job's mirror entry lives ``RUNNING_TTL_S`` only, so that an entry that was
written late by another gateway can't be believed for long.
"""

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

import anyio
import anyio.to_thread
from sqlalchemy import Engine, select

from contract.errors import JobError
from contract.result import PageTimings
from contract.status import JobStatus, PageStatus
from gateway.etags import strong_etag
from gateway.looks import Rendering
from gateway.ports import KeyValue, KeyValueError
from gateway.records import Job, Page, reading
from gateway.schema import JobStatusDocument, PageProgress, PublicError

logger = logging.getLogger(__name__)

FRESH_S = 0.25
RUNNING_TTL_S = 5
ENDED_TTL_S = 60
SECONDS_PER_PAGE = 8

_REMEMBERED = 4096


@dataclass(frozen=True)
class Snapshot:
    """A job's status document: JSON bytes and their strong ETag (with its quotes).

    ``headers`` are the raw HTTP headers of an answer with the body, ``bare_headers`` those of one
    without; ``revision`` grows with every change.
    """

    body: bytes
    etag: str
    preview_id: str
    revision: int
    is_terminal: bool
    headers: tuple[tuple[bytes, bytes], ...]
    bare_headers: tuple[tuple[bytes, bytes], ...]


class StatusBoard:
    """The states of jobs, for those who poll or follow them. ``time`` counts seconds."""

    def __init__(
        self,
        engine: Engine,
        kv: KeyValue,
        *,
        time: Callable[[], float] = monotonic,
    ) -> None:
        self._engine = engine
        self._kv = kv
        self._time = time
        self._known: OrderedDict[str, tuple[Snapshot, float]] = OrderedDict()
        self._reads: dict[str, anyio.Event] = {}
        self._changed: dict[str, anyio.Event] = {}

    def fresh(self, job_id: str) -> Snapshot | None:
        """Return what memory knows of a job, if that is at most ``FRESH_S`` old."""
        known = self._known.get(job_id)
        if known is None or self._time() - known[1] > FRESH_S:
            return None
        return known[0]

    async def get(self, job_id: str) -> Snapshot | None:
        """Return a job's state; None if there is no such job."""
        while (snapshot := self.fresh(job_id)) is None:
            reader = self._reads.get(job_id)
            if reader is None:
                return await self._read_once(job_id)
            # Somebody is reading it: hundreds of followers of a job cost one read.
            await reader.wait()
            if job_id not in self._known:
                return None
        return snapshot

    async def publish(self, job_id: str) -> Snapshot | None:
        """Tell everybody what SQL says of a job now. Call it after every change."""
        snapshot = await anyio.to_thread.run_sync(self._read_sql, job_id)
        if snapshot is not None:
            self._remember(job_id, snapshot)
        return snapshot

    async def next_change(self, job_id: str, etag: str | None, within_s: float) -> Snapshot | None:
        """Wait until the state's ETag differs from ``etag`` or the time is over.

        Without ``etag``, the state at the call is what must change; one that has ended is
        returned at once. Returns the state at the end of the wait; None for an unknown job.
        """
        snapshot = await self.get(job_id)
        if snapshot is None or (etag is None and snapshot.is_terminal):
            return snapshot
        etag = etag or snapshot.etag
        with anyio.move_on_after(within_s):
            while snapshot is not None and snapshot.etag == etag:
                await self._moment(job_id)
                snapshot = await self.get(job_id)
        return snapshot

    async def _moment(self, job_id: str) -> None:
        """Wait for news of a job from this gateway, or until another's may be in the mirror."""
        event = self._changed.setdefault(job_id, anyio.Event())
        try:
            with anyio.move_on_after(FRESH_S):
                await event.wait()
        finally:
            if not event.is_set() and event.statistics().tasks_waiting == 0:
                self._changed.pop(job_id, None)

    async def _read_once(self, job_id: str) -> Snapshot | None:
        done = self._reads[job_id] = anyio.Event()
        try:
            snapshot = await anyio.to_thread.run_sync(self._read, job_id)
            if snapshot is None:
                self._known.pop(job_id, None)
                return None
            return self._remember(job_id, snapshot)
        finally:
            del self._reads[job_id]
            done.set()

    def _remember(self, job_id: str, snapshot: Snapshot) -> Snapshot:
        before = self._known.get(job_id)
        if before and before[0].revision > snapshot.revision:
            snapshot = before[0]  # a slower reader came back with an older state
        self._known[job_id] = (snapshot, self._time())
        self._known.move_to_end(job_id)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        if (before is None or before[0].etag != snapshot.etag) and (
            event := self._changed.pop(job_id, None)
        ):
            event.set()
        return snapshot

    def _read(self, job_id: str) -> Snapshot | None:
        entry = self._mirrored(job_id)
        if entry is None:
            return self._read_sql(job_id)
        try:
            revision, preview_id, status, body = entry.split(b"\n", 3)
            return _snapshot(body, preview_id.decode(), int(revision), JobStatus(status.decode()))
        except ValueError:  # written by another version of this program: the truth is in SQL
            return self._read_sql(job_id)

    def _read_sql(self, job_id: str) -> Snapshot | None:
        with reading(self._engine) as session:
            job = session.get(Job, job_id)
            if job is None:
                return None
            pages = session.scalars(
                select(Page).where(Page.job_id == job_id).order_by(Page.page_number)
            ).all()
            body = status_document(job, pages).model_dump_json().encode()
            snapshot = _snapshot(body, job.preview_id, job.revision, job.status)
            entry = b"\n".join(
                (b"%d" % job.revision, job.preview_id.encode(), job.status.encode(), body)
            )
        self._mirror(job_id, entry, ENDED_TTL_S if snapshot.is_terminal else RUNNING_TTL_S)
        return snapshot

    def _mirrored(self, job_id: str) -> bytes | None:
        try:
            return self._kv.get(_mirror_key(job_id))
        except KeyValueError as error:
            logger.debug("mirror not read", extra={"error": str(error)})
            return None

    def _mirror(self, job_id: str, entry: bytes, ttl_s: int) -> None:
        try:
            self._kv.put(_mirror_key(job_id), entry, ttl_s)
        except KeyValueError as error:
            # Without the mirror every gateway reads SQL: slower, and just as true.
            logger.debug("mirror not written", extra={"error": str(error)})


def status_document(job: Job, pages: Iterable[Page]) -> JobStatusDocument:
    """Return the public state of a job. Depends on the records only, so that the same state has
    the same bytes, and so the same ETag, at every gateway."""
    listed = [
        PageProgress(
            page_number=page.page_number,
            status=page.status,
            error=public_error(page.error),
            timings=PageTimings.model_validate(page.timings) if page.timings else None,
        )
        for page in pages
    ]
    return JobStatusDocument(
        job_id=job.job_id,
        preview_id=job.preview_id,
        status=job.status,
        progress=100 if job.status is JobStatus.COMPLETED else min(99, int(job.progress * 100)),
        current_step=job.current_step,
        pages_completed=sum(page.status is PageStatus.COMPLETED for page in listed),
        total_pages=len(listed),
        estimated_remaining_seconds=_remaining_s(job, len(listed)),
        pages=listed,
        error=public_error(job.error) if job.status.is_terminal else None,
        draft=Rendering.model_validate(job.rendering).is_draft,
    )


def public_error(stored: dict[str, object] | None) -> PublicError | None:
    """Return what a parent's shop may know of an error: nothing of nodes and keys."""
    if stored is None:
        return None
    error = JobError.model_validate(stored)
    return PublicError(
        code=error.code, message=_MESSAGES[error.code.retryable], retryable=error.code.retryable
    )


_MESSAGES = {
    True: "The pictures could not be made this time. Trying again may help.",
    False: "The pictures can't be made from what was sent.",
}


def _remaining_s(job: Job, pages: int) -> int:
    if job.status.is_terminal:
        return 0
    if job.started_at and job.heard_at and job.progress > 0.05:
        elapsed = (job.heard_at - job.started_at).total_seconds()
        return max(1, round(elapsed * (1 - job.progress) / job.progress))
    return pages * SECONDS_PER_PAGE


def _mirror_key(job_id: str) -> str:
    return f"job_status/{job_id}"


def _snapshot(body: bytes, preview_id: str, revision: int, status: JobStatus) -> Snapshot:
    etag = strong_etag(body)
    bare = [(b"etag", etag.encode()), (b"cache-control", b"private, no-cache")]
    if not status.is_terminal:
        bare.append((b"retry-after", b"2" if status is JobStatus.QUEUED else b"1"))
    content = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
    ]
    return Snapshot(
        body=body,
        etag=etag,
        preview_id=preview_id,
        revision=revision,
        is_terminal=status.is_terminal,
        headers=(*content, *bare),
        bare_headers=tuple(bare),
    )
