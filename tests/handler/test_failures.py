import errno
import os

import pytest

from contract.errors import ErrorCode, JobError
from handler.errors import (
    ComfyDied,
    ComfyStalled,
    ComfyUnreachable,
    GpuOutOfMemory,
    InvalidSlot,
    NodeFailed,
    PoisonedPage,
    PromptRejected,
)
from handler.failures import refuses_embedding, to_job_error, worst
from storage.errors import ObjectNotFound, ObjectTooLarge, StoreFull, StoreUnavailable


def node_failure(text: str) -> NodeFailed:
    return NodeFailed(f"node 6 raised: {text}", node="6", exception_message=text)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (node_failure("no_face: nobody in the photo"), ErrorCode.NO_FACE),
        (node_failure("several_faces: two"), ErrorCode.SEVERAL_FACES),
        (node_failure("face_too_small: 12 px"), ErrorCode.FACE_TOO_SMALL),
        (node_failure("weights_unusable: arcface.onnx is damaged"), ErrorCode.WEIGHTS_UNUSABLE),
        (node_failure("embedding_unreadable: cut short"), ErrorCode.EMBEDDING_UNUSABLE),
        (node_failure("embedding_invalid: NaN"), ErrorCode.EMBEDDING_UNUSABLE),
        (node_failure("embedding_mismatch: another file"), ErrorCode.EMBEDDING_UNUSABLE),
        (node_failure("out of paper"), ErrorCode.NODE_FAILED),
        (node_failure("cancelled: says who?"), ErrorCode.NODE_FAILED),
        (node_failure(f"[Errno 28] {os.strerror(errno.ENOSPC)}"), ErrorCode.STORE_FULL),
        (OSError(errno.ENOSPC, "No space"), ErrorCode.STORE_FULL),
        (InvalidSlot("no"), ErrorCode.INVALID_SLOT),
        (ComfyDied("gone"), ErrorCode.COMFY_DIED),
        (ComfyDied("gone", blamed=False), ErrorCode.COMFY_DIED),
        (ComfyStalled("quiet"), ErrorCode.COMFY_UNREACHABLE),
        (ComfyUnreachable("busy"), ErrorCode.COMFY_UNREACHABLE),
        (GpuOutOfMemory("full"), ErrorCode.GPU_OUT_OF_MEMORY),
        (PoisonedPage("twice"), ErrorCode.POISONED_PAGE),
        (ObjectNotFound("a/b"), ErrorCode.INPUT_NOT_FOUND),
        (ObjectTooLarge("a/b", 3), ErrorCode.INPUT_CORRUPT),
        (StoreFull("full"), ErrorCode.STORE_FULL),
        (StoreUnavailable("gone"), ErrorCode.STORE_UNAVAILABLE),
    ],
)
def test_each_failure_has_its_code(error: Exception, code: ErrorCode) -> None:
    assert to_job_error(error).code is code


def test_only_what_a_node_says_of_an_embedding_asks_for_another() -> None:
    assert refuses_embedding(node_failure("embedding_mismatch: another file"))
    for text in ("no_face: nobody", "an embedding_mismatch", "embedding", ""):
        assert not refuses_embedding(node_failure(text))


def test_node_and_input_travel_along() -> None:
    error = to_job_error(PromptRejected("no", node="4", input="image"), page_number=3)
    assert (error.node, error.input, error.page_number) == ("4", "image", 3)


def test_an_unforeseen_error_is_sent_by_its_type_only() -> None:
    error = to_job_error(KeyError("Mathilda's secret"))
    assert error.code is ErrorCode.INTERNAL
    assert error.message == "internal error: KeyError"


def test_a_long_message_is_cut() -> None:
    assert len(to_job_error(ComfyDied("x" * 5000)).message) == 2000


def test_a_permanent_error_stands_for_the_job() -> None:
    retryable = JobError(code=ErrorCode.COMFY_DIED, message="")
    permanent = JobError(code=ErrorCode.NO_FACE, message="")
    assert worst([retryable, permanent]) is permanent
    assert worst([retryable]) is retryable
