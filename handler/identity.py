"""The identity embedding of a job: the stored one while it may be used, else a new one."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from contract.result import IdentityResult
from handler.embedding_file import MAX_EMBEDDING_BYTES, SUFFIX, EmbeddingRecord, read_record
from handler.errors import EmbeddingUnusable, OutputMissing
from handler.pages import PHOTO_SLOT, IdentityPlan
from handler.workspace import Workspace
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError

CLOCKS_DIFFER_S: Final = 300.0
"""How far the clocks of two machines may be apart, in seconds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedding:
    """An embedding's file. ``extracted`` by this run, in ``extract_ms`` milliseconds, or found in
    the store; ``unstored`` is what kept a new one from being stored."""

    data: bytes
    record: EmbeddingRecord
    extracted: bool = False
    extract_ms: float = 0.0
    unstored: StoreError | None = None

    @property
    def sha256(self) -> str:
        """The hash of the file."""
        return hashlib.sha256(self.data).hexdigest()

    def result(self, key: str) -> IdentityResult | None:
        """The embedding as it lies under ``key``; None if it doesn't."""
        if self.unstored is not None:
            return None
        return IdentityResult(
            key=key,
            sha256=self.sha256,
            size_bytes=len(self.data),
            extracted_at=self.record.extracted_at,
            extracted=self.extracted,
            extract_ms=self.extract_ms,
        )


class EmbeddingSource:
    """Finds or makes the embedding of one plan, and reports which."""

    def __init__(self, plan: IdentityPlan, workspace: Workspace) -> None:
        self._plan = plan
        self._at = workspace
        self._key = plan.source.embedding_key
        self._tags = {"job_id": workspace.job_id}

    async def find_or_extract(self) -> Embedding:
        """Return the stored embedding if it may be used, else extract one.

        Raises:
            StoreError: the store can't be read.
            WorkerError: see :meth:`extract`.
        """
        found = await self._find()
        if found is None:
            return await self.extract()
        log.info("stored identity used", extra=self._tags)
        self._at.reporter.end_identity(found.result(self._key))
        return found

    async def extract(self) -> Embedding:
        """Make an embedding from the photo and store it.

        A store that won't take it is not the end: whoever needs the embedding at once has it, and
        whoever needs it stored looks at ``unstored``.

        Raises:
            StoreError, InputCorrupt: the photo can't be had.
            ComfyError: the graph failed, or saved no identity.
        """
        clock, reporter = self._at.clock, self._at.reporter
        began = clock.monotonic()
        reporter.begin_identity()
        photo = {PHOTO_SLOT: self._plan.source.photo}
        files = await self._at.inputs.names(photo, self._plan.raw_slots)
        rendered = await self._at.render(self._plan.graph(files), reporter.step_identity)
        self._at.engagement.idle_ms_before(rendered)  # the next page's idle time begins here
        took_ms = (clock.monotonic() - began) * 1000
        record = _saved_record(rendered.data)
        unstored = await self._put(rendered.data)
        embedding = Embedding(rendered.data, record, True, took_ms, unstored)
        log.info("identity extracted", extra={**self._tags, "extract_ms": took_ms})
        reporter.end_identity(embedding.result(self._key))
        return embedding

    async def _find(self) -> Embedding | None:
        """The stored embedding, or None if there is none that may be used."""
        try:
            data = await self._at.store.get(self._key, MAX_EMBEDDING_BYTES)
            record = read_record(data)
        except ObjectNotFound:
            return None
        except (ObjectTooLarge, EmbeddingUnusable) as error:
            log.warning("stored identity not used: %s", error, extra=self._tags)
            return None
        age_s = (self._at.clock.now() - record.extracted_at).total_seconds()
        if not -CLOCKS_DIFFER_S <= age_s <= self._plan.source.max_age_s:
            log.info("stored identity not used: it is %.0f s old", age_s, extra=self._tags)
            return None
        return Embedding(data, record)

    async def _put(self, data: bytes) -> StoreError | None:
        try:
            await self._at.store.put(self._key, data, "application/octet-stream")
        except StoreError as error:
            log.warning("identity not stored: %s", error, extra=self._tags)
            return error
        return None


@dataclass(frozen=True, eq=False)
class EmbeddingFile:
    """An embedding among ComfyUI's input files, under the name that the nodes take."""

    name: str
    extracted: bool


class SharedEmbedding:
    """The embedding that the pages of one job share: however many pages ask, and whatever comes
    of it, at most one is extracted."""

    def __init__(self, plan: IdentityPlan, workspace: Workspace) -> None:
        self._source = EmbeddingSource(plan, workspace)
        self._at = workspace
        self._task: asyncio.Task[EmbeddingFile] | None = None

    @property
    def failure(self) -> Exception | None:
        """Why there is none to be had, for any page, once that is known."""
        task = self._task
        if task is None or not task.done() or task.cancelled():
            return None
        error = task.exception()
        return error if isinstance(error, Exception) else None

    async def file(self) -> EmbeddingFile:
        """Return the embedding.

        Raises:
            StoreError, WorkerError: see :meth:`EmbeddingSource.find_or_extract`.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._staged(self._source.find_or_extract))
        return await asyncio.shield(self._task)  # a page that is given up mustn't end it for others

    async def instead_of(self, refused: EmbeddingFile) -> EmbeddingFile | None:
        """Return one to use instead of a file that the nodes refuse: newly extracted, unless
        another page has had it extracted meanwhile. None if ``refused`` is new itself.

        Raises:
            StoreError, WorkerError: see :meth:`EmbeddingSource.extract`.
        """
        if refused.extracted:
            return None
        if await self.file() is refused:
            self._task = asyncio.create_task(self._staged(self._source.extract))
        return await self.file()

    async def close(self) -> None:
        """Give up what is still being done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _staged(self, get: Callable[[], Awaitable[Embedding]]) -> EmbeddingFile:
        embedding = await get()
        name = embedding.sha256 + SUFFIX
        return EmbeddingFile(await self._at.inputs.stage(name, embedding.data), embedding.extracted)


async def ensure_identity(plan: IdentityPlan, workspace: Workspace, deadline_s: float) -> None:
    """Carry out an identity job: see to it that an embedding that may be used is stored.

    Raises:
        StoreError: it could not be stored, or see :meth:`EmbeddingSource.find_or_extract`.
        WorkerError: no embedding could be extracted, or not in time.
    """
    async with workspace.open(deadline_s):
        embedding = await EmbeddingSource(plan, workspace).find_or_extract()
        if embedding.unstored is not None:
            raise embedding.unstored


def _saved_record(data: bytes) -> EmbeddingRecord:
    try:
        return read_record(data)
    except EmbeddingUnusable as error:
        raise OutputMissing(f"what ComfyUI saved is no identity: {error}") from error
