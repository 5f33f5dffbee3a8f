"""What the worker says of a job: progress while it runs, one result at its end.

Both carry ``(run, seq)``. ``run`` is the time, in milliseconds since the epoch, at which a worker
began this run of the job; ``seq`` counts that run's messages from 1. Messages of one job are
ordered by the pair, whichever worker and whichever channel they come through.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter

from contract.errors import JobError
from contract.status import JobStatus, PageStatus
from contract.types import (
    CONTRACT_VERSION,
    Identifier,
    ObjectKey,
    PageNumber,
    Sha256,
    WorkerMessage,
)


class StoredImage(WorkerMessage):
    """A PNG in the object store; sizes in bytes and pixels."""

    key: ObjectKey
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    width: int = Field(ge=1)
    height: int = Field(ge=1)
    content_type: Literal["image/png"] = "image/png"


class PageTimings(WorkerMessage):
    """Where a page's time went, in milliseconds.

    ``fetch`` inputs from the object store, and on the page that waited for it the extraction of
    the identity; ``queue`` waiting in ComfyUI's queue, where another page may be ahead; ``render``
    the graph's execution, of which ``text`` encoding the prompt, ``sample``, ``decode`` latents to
    pixels and ``composite`` what our image nodes do; ``encode`` making the PNG and its hash;
    ``store`` storing it; ``idle`` how long the GPU had nothing to do before this page.
    """

    fetch_ms: float = Field(default=0.0, ge=0)
    queue_ms: float = Field(default=0.0, ge=0)
    render_ms: float = Field(default=0.0, ge=0)
    text_ms: float = Field(default=0.0, ge=0)
    sample_ms: float = Field(default=0.0, ge=0)
    decode_ms: float = Field(default=0.0, ge=0)
    composite_ms: float = Field(default=0.0, ge=0)
    encode_ms: float = Field(default=0.0, ge=0)
    store_ms: float = Field(default=0.0, ge=0)
    idle_ms: float = Field(default=0.0, ge=0)


class IdentityResult(WorkerMessage):
    """The identity embedding that a job used or made, as it lies in the object store.

    ``extracted`` is false if the one that was there was used again. ``extract_ms`` is the time
    from asking for the photo to the end of the graph, in milliseconds; 0 if nothing was extracted.
    """

    key: ObjectKey
    sha256: Sha256
    size_bytes: int = Field(ge=1)
    extracted_at: AwareDatetime
    extracted: bool
    extract_ms: float = Field(default=0.0, ge=0)


class PageResult(WorkerMessage):
    """The end of one page: an image if it is completed, an error if it failed. ``reused`` says
    that an earlier run had stored that very page."""

    page_number: PageNumber
    status: PageStatus
    seed: int = Field(ge=0)
    image: StoredImage | None = None
    error: JobError | None = None
    timings: PageTimings = PageTimings()
    reused: bool = False


class Progress(WorkerMessage):
    """The state of a running job. Best effort: may be throttled, lost or late.

    ``progress`` is 0–1 over the whole job and never falls within a run. ``step`` of ``steps`` is
    the sampler's (or the slowest node's) own count within ``page_number``. ``pages`` holds the
    pages that have ended so far.
    """

    type: Literal["progress"] = "progress"
    version: int = CONTRACT_VERSION
    job_id: Identifier
    dispatch: int = Field(ge=1)
    run: int = Field(ge=0)
    seq: int = Field(ge=1)
    status: Literal[JobStatus.PROCESSING] = JobStatus.PROCESSING
    progress: float = Field(ge=0, le=1)
    current_step: str = Field(max_length=200)
    page_number: PageNumber | None = None
    step: int | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=0)
    pages: list[PageResult] = Field(default_factory=list)


class JobResult(WorkerMessage):
    """The end of a job. ``completed`` means that every page is stored; a job with some pages
    missing is ``failed`` and still lists those that are there.

    An identity job has no pages, and is ``completed`` if ``identity`` is stored. A pages job lists
    the ``identity`` that it used, unless that one could not be stored.
    """

    type: Literal["result"] = "result"
    version: int = CONTRACT_VERSION
    job_id: Identifier
    dispatch: int = Field(ge=1)
    run: int = Field(ge=0)
    seq: int = Field(ge=1)
    status: Literal[JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED]
    pages: list[PageResult]
    identity: IdentityResult | None = None
    error: JobError | None = None
    total_ms: float = Field(default=0.0, ge=0)
    worker_id: str = Field(default="", max_length=200)


class InstalledWorkflow(WorkerMessage):
    """A workflow that the worker has. ``required`` says that it didn't start without it."""

    name: str
    version: int = Field(ge=1)
    required: bool = False


class InstalledModel(WorkerMessage):
    """A file of the model list: ``folder/file`` of ComfyUI's models folders.

    ``size_bytes`` is None if there is no such file. ``sha256`` is that of the file, where the
    worker has it from an earlier look; ``expected_sha256`` is the list's, None where any will do.
    """

    folder: str
    file: str
    size_bytes: int | None = Field(default=None, ge=0)
    sha256: Sha256 | None = None
    expected_sha256: Sha256 | None = None


class Gpu(WorkerMessage):
    """A graphics processor and its memory, in bytes."""

    name: str
    memory_bytes: int = Field(ge=0)
    free_bytes: int = Field(ge=0)


class AcknowledgedLicence(WorkerMessage):
    """A licence that the customer has for models which may not be used commercially without one,
    and the customer's own reference to it: a contract's or an order's number."""

    licence: str
    reference: str


class HealthReport(WorkerMessage):
    """What a worker is made of and how it is. A version is None where that part isn't installed.

    ``uptime_s`` counts from the worker's start; ``jobs_done`` the jobs that it has ended since,
    health jobs left out. ``free_disk_bytes`` is what is left where ComfyUI keeps its files.
    ``models_use`` is what the models are used for; None from a worker that doesn't tell.
    """

    type: Literal["health"] = "health"
    version: int = CONTRACT_VERSION
    job_id: Identifier | None = None
    worker_id: str = Field(default="", max_length=200)
    worker_version: str | None = None
    node_pack_version: str | None = None
    comfyui_version: str | None = None
    comfyui_alive: bool
    torch_version: str | None = None
    sdk_version: str | None = None
    workflows: list[InstalledWorkflow]
    models: list[InstalledModel]
    models_use: Literal["commercial", "evaluation"] | None = None
    acknowledged_licences: list[AcknowledgedLicence] = Field(default_factory=list)
    gpus: list[Gpu]
    free_disk_bytes: int = Field(ge=0)
    uptime_s: float = Field(ge=0)
    jobs_done: int = Field(ge=0)


StatusMessage = Annotated[Progress | JobResult, Field(discriminator="type")]
"""What a status callback carries."""

STATUS_MESSAGE: TypeAdapter[Progress | JobResult] = TypeAdapter(StatusMessage)
