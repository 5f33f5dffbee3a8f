"""Exceptions as the errors of the contract."""

import errno
import logging
import os

from contract.errors import ErrorCode, JobError
from handler.errors import NodeFailed, WorkerError
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreError, StoreFull

_MESSAGE_CHARACTERS = 2000
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_SPACE_TEXTS = tuple(os.strerror(number) for number in _NO_SPACE)
_NODE_CODES = {
    "no_face": ErrorCode.NO_FACE,
    "several_faces": ErrorCode.SEVERAL_FACES,
    "face_too_small": ErrorCode.FACE_TOO_SMALL,
    "weights_unusable": ErrorCode.WEIGHTS_UNUSABLE,
    "embedding_unreadable": ErrorCode.EMBEDDING_UNUSABLE,
    "embedding_invalid": ErrorCode.EMBEDDING_UNUSABLE,
    "embedding_mismatch": ErrorCode.EMBEDDING_UNUSABLE,
}
"""What our nodes' exceptions begin with, and what it is on the wire."""

log = logging.getLogger(__name__)


def to_job_error(error: Exception, page_number: int | None = None) -> JobError:
    """Return ``error`` as it is sent. What nobody foresaw is logged, and sent by its type only."""
    message, node, input_name = str(error), None, None
    if isinstance(error, WorkerError):
        code, node, input_name = _code_of(error), error.node, error.input
    elif isinstance(error, StoreError):
        code = _store_code(error)
    elif isinstance(error, OSError) and error.errno in _NO_SPACE:
        code, message = ErrorCode.STORE_FULL, "no space left on the worker's disk"
    else:
        code, message = ErrorCode.INTERNAL, f"internal error: {type(error).__name__}"
        log.error("unforeseen error", exc_info=error, extra={"page_number": page_number})
    return JobError(
        code=code,
        message=message[:_MESSAGE_CHARACTERS],
        page_number=page_number,
        node=node,
        input=input_name,
    )


def refuses_embedding(error: NodeFailed) -> bool:
    """Whether a node raised ``error`` because the identity embedding won't do."""
    return _code_of(error) is ErrorCode.EMBEDDING_UNUSABLE


def worst(errors: list[JobError]) -> JobError:
    """Return the error that stands for a job: the first permanent one, since trying such a job
    again can't complete it, else the first."""
    return next((error for error in errors if not error.retryable), errors[0])


def _code_of(error: WorkerError) -> ErrorCode:
    """Our nodes begin an exception's text with a code, ``no_face: …``; any node may find the disk
    full, which is no fault of the job."""
    if isinstance(error, NodeFailed):
        if any(text in error.exception_message for text in _NO_SPACE_TEXTS):
            return ErrorCode.STORE_FULL
        prefix = error.exception_message.lstrip().partition(":")[0]
        return _NODE_CODES.get(prefix, error.code)
    return error.code


def _store_code(error: StoreError) -> ErrorCode:
    if isinstance(error, ObjectNotFound):
        return ErrorCode.INPUT_NOT_FOUND
    if isinstance(error, ObjectTooLarge):
        return ErrorCode.INPUT_CORRUPT
    return ErrorCode.STORE_FULL if isinstance(error, StoreFull) else ErrorCode.STORE_UNAVAILABLE
