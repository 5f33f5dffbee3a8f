"""What can go wrong in the worker.

WorkerError                carries the wire's ErrorCode, and the node and input if it has them
├── InvalidJob             the job's input breaks the contract
├── UnknownWorkflow        no released workflow of that name and version
├── InvalidSlot            a slot is unknown, missing, reserved, or of another type
├── InputNotFound          no object under an input's key
├── InputCorrupt           an input is too large, has another hash, or isn't a whole image
├── InputRefused           an input's URL is one that a worker doesn't read
├── InputUnavailable       the host of an input's URL doesn't answer, or not in time
├── EmbeddingUnusable      a file is no identity embedding
├── ResultTooLarge         what was made doesn't fit into RunPod's answer
├── ComfyError
│   ├── ComfyBootFailed    it didn't become ready; carries the log's tail
│   ├── ComfyDied          the process ended while it was needed
│   ├── ComfyStalled       a graph made no progress for too long
│   ├── ComfyUnreachable   it lives but doesn't answer
│   ├── PromptRejected     it refused the graph
│   ├── NodeFailed         a node raised an exception
│   ├── GpuOutOfMemory     a node found too little memory on the GPU
│   ├── PoisonedPage       ComfyUI died of the page, and again when it was tried once more
│   ├── PromptInterrupted  somebody else interrupted the prompt
│   └── OutputMissing      it finished, but there is no whole file
└── DeadlineExceeded       the job's own deadline passed
WorkflowInvalid            a workflow file is wrong: the worker doesn't start
Unfit                      this machine can't render what it must: the worker doesn't start
DownloadFailed             a model file can't be fetched
LicenceForbids             it may not render it: a model's licence forbids commercial use
"""

from collections.abc import Sequence
from typing import ClassVar

from contract.errors import ErrorCode


class WorkerError(Exception):
    """A failure of a page or a job. Its text is safe to log and to send: it names keys, slots
    and nodes, never what a photo shows or who is in it."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, *, node: str | None = None, input: str | None = None) -> None:
        super().__init__(message)
        self.node = node
        self.input = input


class InvalidJob(WorkerError):
    """The job's input breaks the contract."""

    code = ErrorCode.INVALID_INPUT


class UnknownWorkflow(WorkerError):
    """No released workflow of that name and version."""

    code = ErrorCode.UNKNOWN_WORKFLOW


class InvalidSlot(WorkerError):
    """A slot is unknown, missing, reserved for the worker, or of another type."""

    code = ErrorCode.INVALID_SLOT


class InputNotFound(WorkerError):
    """No object under an input's key."""

    code = ErrorCode.INPUT_NOT_FOUND


class InputCorrupt(WorkerError):
    """An input is too large, has another hash, or isn't a whole image."""

    code = ErrorCode.INPUT_CORRUPT


class InputRefused(WorkerError):
    """An input's URL is one that a worker doesn't read."""

    code = ErrorCode.INPUT_REFUSED


class InputUnavailable(WorkerError):
    """The host of an input's URL doesn't answer, fails, or is too slow."""

    code = ErrorCode.INPUT_UNAVAILABLE


class ResultTooLarge(WorkerError):
    """What was made doesn't fit into RunPod's answer."""

    code = ErrorCode.RESULT_TOO_LARGE


class EmbeddingUnusable(WorkerError):
    """A file is no identity embedding, or not a whole one."""

    code = ErrorCode.EMBEDDING_UNUSABLE


class ComfyError(WorkerError):
    """ComfyUI failed."""


class ComfyBootFailed(ComfyError):
    """ComfyUI didn't become ready. ``log_tail`` holds its last lines; the message only the last
    one that says something."""

    code = ErrorCode.COMFY_BOOT_FAILED

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.log_tail = log_tail


class ComfyDied(ComfyError):
    """ComfyUI's process ended while it was needed. ``blamed``: it was executing this graph then;
    otherwise the graph waited for its turn, or was done."""

    code = ErrorCode.COMFY_DIED

    def __init__(self, message: str, *, blamed: bool = True) -> None:
        super().__init__(message)
        self.blamed = blamed


class ComfyStalled(ComfyError):
    """A graph was executed without any progress for too long."""

    code = ErrorCode.COMFY_UNREACHABLE


class ComfyUnreachable(ComfyError):
    """ComfyUI lives but doesn't answer."""

    code = ErrorCode.COMFY_UNREACHABLE


class PromptRejected(ComfyError):
    """ComfyUI refused the graph, or part of it."""

    code = ErrorCode.WORKFLOW_REJECTED


class NodeFailed(ComfyError):
    """A node raised an exception. ``exception_message`` is its own text, unshortened."""

    code = ErrorCode.NODE_FAILED

    def __init__(self, message: str, *, node: str, exception_message: str = "") -> None:
        super().__init__(message, node=node)
        self.exception_message = exception_message


class GpuOutOfMemory(ComfyError):
    """A node found too little memory on the GPU."""

    code = ErrorCode.GPU_OUT_OF_MEMORY


class PoisonedPage(ComfyError):
    """ComfyUI died while it executed the page's graph, and again when it was tried once more."""

    code = ErrorCode.POISONED_PAGE


class PromptInterrupted(ComfyError):
    """Somebody else interrupted the prompt, or took it out of the queue."""


class OutputMissing(ComfyError):
    """The graph finished, but there is no whole PNG, or no whole identity."""

    code = ErrorCode.OUTPUT_MISSING


class DeadlineExceeded(WorkerError):
    """The job's own deadline passed."""

    code = ErrorCode.DEADLINE_EXCEEDED


class WorkflowInvalid(Exception):
    """A workflow's files are wrong. Names the file, and the slot and node if there is one."""


class Unfit(Exception):
    """This machine can't render what it must. Names the workflow, and the file if it is one."""


class DownloadFailed(Exception):
    """A model file can't be fetched. Has no more of its URL than the host."""


class LicenceForbids(Exception):
    """A worker for commercial use may load models whose licences forbid that. ``refusals`` holds a
    line for each."""

    def __init__(self, refusals: Sequence[str]) -> None:
        super().__init__("; ".join(refusals))
        self.refusals = tuple(refusals)
