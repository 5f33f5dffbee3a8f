"""Statuses and error codes."""

from contract.errors import PERMANENT_ERRORS, ErrorCode, JobError
from contract.status import TERMINAL_STATUSES, JobStatus


def test_terminal_states_are_those_in_which_nothing_more_happens() -> None:
    assert {status for status in JobStatus if status.is_terminal} == TERMINAL_STATUSES
    assert JobStatus.QUEUED not in TERMINAL_STATUSES
    assert JobStatus.PROCESSING not in TERMINAL_STATUSES


def test_every_error_is_either_retryable_or_permanent() -> None:
    assert {code for code in ErrorCode if not code.retryable} == PERMANENT_ERRORS


def test_an_error_says_on_the_wire_whether_to_retry() -> None:
    error = JobError(code=ErrorCode.COMFY_DIED, message="ComfyUI ended with status -9")
    assert error.model_dump(mode="json")["retryable"] is True
    assert JobError.model_validate(error.model_dump()) == error
