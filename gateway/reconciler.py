"""Finding out what became of jobs that went quiet: callbacks get lost, workers die.

The endpoint is asked. What it says of a job that ended is believed, because the API key makes it
the endpoint's own word; where it has nothing to say, the object store tells which pages are there.
"""

import hashlib
import logging
from typing import Any, TypeVar

import anyio.to_thread
from pydantic import BaseModel, ValidationError

from contract.errors import ErrorCode, JobError
from contract.result import JobResult, Progress
from contract.status import JobStatus
from gateway.jobs import PageState
from gateway.ledger import Ledger, Question
from gateway.ports import EndpointError, EndpointJob, EndpointState, ObjectStore, RenderEndpoint
from gateway.watermark import UnreadablePage, decode_png
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError

logger = logging.getLogger(__name__)

_MAX_PAGE_BYTES = 64 * 1024 * 1024  # an enlarged page has some 28 MB of pixels
_Message = TypeVar("_Message", bound=BaseModel)


class Reconciler:
    """Asks the endpoint and the store, and enters the answers in the ledger."""

    def __init__(self, ledger: Ledger, endpoint: RenderEndpoint, store: ObjectStore) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._store = store

    async def ask(self, question: Question) -> None:
        """Ask about one job. When nobody can be asked now, it stays as it is and is asked about
        again after the next silence."""
        if question.runpod_id is None:
            # The gateway that submitted it died before it could note the endpoint's id.
            await self._settle(question, ErrorCode.JOB_LOST, "its submission was interrupted")
            return
        try:
            told = await self._endpoint.status(question.runpod_id)
        except EndpointError as error:
            logger.warning(
                "endpoint can't be asked", extra={"job_id": question.job_id, "reason": str(error)}
            )
            return
        await self._enter(question, told)

    async def _enter(self, question: Question, told: EndpointJob | None) -> None:
        if told is None:
            await self._settle(question, ErrorCode.JOB_LOST, "the endpoint doesn't know it")
            return
        match told.state:
            case EndpointState.IN_QUEUE | EndpointState.IN_PROGRESS:
                await self._running(question, told)
            case EndpointState.COMPLETED:
                result = _parsed(JobResult, told.output, question)
                await self._over(question, result, ErrorCode.JOB_LOST, "its result is missing")
            case EndpointState.FAILED:
                result = _parsed(JobResult, told.error, question)
                await self._over(question, result, ErrorCode.INTERNAL, "the worker failed")
            case EndpointState.TIMED_OUT:
                await self._settle(question, ErrorCode.DEADLINE_EXCEEDED, "it took too long")
            case EndpointState.CANCELLED:
                await self._settle(question, ErrorCode.CANCELLED, "it was cancelled")

    async def _running(self, question: Question, told: EndpointJob) -> None:
        progress = _parsed(Progress, told.output, question)
        if progress is not None:
            await anyio.to_thread.run_sync(self._ledger.receive, progress)

    async def _over(
        self, question: Question, result: JobResult | None, code: ErrorCode, reason: str
    ) -> None:
        if result is None:
            await self._settle(question, code, reason)
            return
        await anyio.to_thread.run_sync(lambda: self._ledger.receive(result, authoritative=True))

    async def _settle(self, question: Question, code: ErrorCode, reason: str) -> None:
        """The dispatch is over and left no result: take the pages that it stored all the same."""
        try:
            found = await anyio.to_thread.run_sync(self._stored, question.pages)
        except StoreError as error:
            logger.warning(
                "store can't be asked", extra={"job_id": question.job_id, "reason": str(error)}
            )
            return
        if found:
            status = await anyio.to_thread.run_sync(self._ledger.found, question.job_id, found)
            if status is JobStatus.COMPLETED:
                return
        failure = JobError(code=code, message=f"the dispatch ended without a result: {reason}")
        logger.warning("dispatch lost", extra={"job_id": question.job_id, "code": code.value})
        await anyio.to_thread.run_sync(
            self._ledger.fail, question.job_id, question.dispatch, failure
        )

    def _stored(self, pages: tuple[PageState, ...]) -> dict[int, tuple[str, int]]:
        """The pages whose PNG lies in the store and can be read: (sha256, size in bytes)."""
        found = {}
        for page in pages:
            try:
                data = self._store.get(page.key, _MAX_PAGE_BYTES)
                decode_png(data)
            except (ObjectNotFound, ObjectTooLarge, UnreadablePage):
                continue
            found[page.page_number] = (hashlib.sha256(data).hexdigest(), len(data))
        return found


def _parsed(model: type[_Message], told: Any, question: Question) -> _Message | None:
    """What the endpoint passed on, if it is a message of this job; a failed job's is a string."""
    try:
        message = (
            model.model_validate_json(told) if isinstance(told, str) else model.model_validate(told)
        )
    except ValidationError:
        return None
    return message if getattr(message, "job_id", None) == question.job_id else None
