"""Error codes that cross the wire, and whether trying again can help.

retryable   the same job may succeed on another try or another worker
permanent   the job's own input must change first
"""

from enum import StrEnum

from pydantic import Field, computed_field

from contract.types import PageNumber, WorkerMessage


class ErrorCode(StrEnum):
    """Why a job or a page failed. Codes are stable; messages are not."""

    # permanent: what was asked for can't be done
    INVALID_INPUT = "invalid_input"
    UNKNOWN_WORKFLOW = "unknown_workflow"
    INVALID_SLOT = "invalid_slot"
    INPUT_NOT_FOUND = "input_not_found"
    INPUT_CORRUPT = "input_corrupt"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    WORKFLOW_REJECTED = "workflow_rejected"
    EMBEDDING_UNUSABLE = "embedding_unusable"
    NODE_FAILED = "node_failed"
    POISONED_PAGE = "poisoned_page"
    INPUT_REFUSED = "input_refused"
    RESULT_TOO_LARGE = "result_too_large"
    CANCELLED = "cancelled"
    # retryable: the machine or the network failed, not the request
    COMFY_BOOT_FAILED = "comfy_boot_failed"
    COMFY_DIED = "comfy_died"
    COMFY_UNREACHABLE = "comfy_unreachable"
    WEIGHTS_UNUSABLE = "weights_unusable"
    GPU_OUT_OF_MEMORY = "gpu_out_of_memory"
    OUTPUT_MISSING = "output_missing"
    INPUT_UNAVAILABLE = "input_unavailable"
    STORE_FULL = "store_full"
    STORE_UNAVAILABLE = "store_unavailable"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    JOB_LOST = "job_lost"
    ENDPOINT_UNAVAILABLE = "endpoint_unavailable"
    INTERNAL = "internal"

    @property
    def retryable(self) -> bool:
        """Whether the unchanged job may succeed when it is tried again."""
        return self not in PERMANENT_ERRORS


PERMANENT_ERRORS = frozenset(
    {
        ErrorCode.INVALID_INPUT,
        ErrorCode.UNKNOWN_WORKFLOW,
        ErrorCode.INVALID_SLOT,
        ErrorCode.INPUT_NOT_FOUND,
        ErrorCode.INPUT_CORRUPT,
        ErrorCode.NO_FACE,
        ErrorCode.SEVERAL_FACES,
        ErrorCode.FACE_TOO_SMALL,
        ErrorCode.WORKFLOW_REJECTED,
        ErrorCode.EMBEDDING_UNUSABLE,
        ErrorCode.NODE_FAILED,
        ErrorCode.POISONED_PAGE,
        ErrorCode.INPUT_REFUSED,
        ErrorCode.RESULT_TOO_LARGE,
        ErrorCode.CANCELLED,
    }
)


class JobError(WorkerMessage):
    """An error as it is sent: safe to log and to show to the order desk.

    ``message`` names workflow nodes, slots and keys, never a photo's content, a child's name or
    a signed link. ``node`` and ``input`` say where in the graph it happened, if it did there.
    """

    code: ErrorCode
    message: str = Field(max_length=2000)
    page_number: PageNumber | None = None
    node: str | None = None
    input: str | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy can't decorate a property twice
    @property
    def retryable(self) -> bool:
        """See :attr:`ErrorCode.retryable`; sent along for readers without this enum."""
        return self.code.retryable
