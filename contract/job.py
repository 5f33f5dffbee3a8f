"""The input of a RunPod job: gateway → worker."""

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, TypeAdapter, model_validator

from contract.types import CONTRACT_VERSION, Identifier, ObjectKey, PageNumber, SentMessage, Sha256

SlotValue = Annotated[int, Field(strict=True)] | float | Annotated[str, Field(max_length=4000)]

MAX_EMBEDDING_AGE_S: Final = 86_400.0
"""No identity embedding is used longer than a day after its extraction."""


class ObjectRef(SentMessage):
    """An object that the worker reads. With ``sha256``, other bytes under the key are refused."""

    key: ObjectKey
    sha256: Sha256 | None = None


class WorkflowRef(SentMessage):
    """A released workflow: ``workflows/<name>/v<version>.json``."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    version: int = Field(ge=1)


class IdentitySource(SentMessage):
    """Where a job's identity embedding comes from: the store, or else ``photo``.

    The object under ``embedding_key`` is used for ``max_age_s`` seconds after its extraction.
    Without such an object ``workflow`` extracts a new one from ``photo``, and it is stored there.
    """

    photo: ObjectRef
    embedding_key: ObjectKey
    workflow: WorkflowRef
    max_age_s: float = Field(default=MAX_EMBEDDING_AGE_S, gt=0, le=MAX_EMBEDDING_AGE_S)


class PageTask(SentMessage):
    """One page to render.

    ``slots`` fills named slots of the workflow with values; ``assets`` fills its image slots with
    objects. ``output_key`` is where the PNG goes: deterministic, so that a second delivery of the
    same job overwrites its own result and nothing else. ``seed`` (0 … 2**53-1, exact in JSON
    everywhere) fills the workflow's ``seed`` slot if it has one.
    """

    page_number: PageNumber
    output_key: ObjectKey
    seed: int = Field(ge=0, le=2**53 - 1)
    slots: dict[str, SlotValue] = Field(default_factory=dict)
    assets: dict[str, ObjectRef] = Field(default_factory=dict)


class PagesJob(SentMessage):
    """Render pages. ``job_id`` is the gateway's; ``dispatch`` counts its submissions to RunPod.

    A job is delivered at least once: RunPod may hand the same input to several workers.
    ``deadline_s`` bounds the whole job, in seconds. ``identity`` is there exactly if the workflow
    takes an identity; a job without one doesn't mention it, so that an older worker reads it.
    """

    version: Literal[1] = CONTRACT_VERSION
    kind: Literal["pages"] = "pages"
    job_id: Identifier
    dispatch: int = Field(default=1, ge=1)
    workflow: WorkflowRef
    pages: list[PageTask] = Field(min_length=1, max_length=200)
    identity: IdentitySource | None = Field(default=None, exclude_if=lambda value: value is None)
    deadline_s: float = Field(default=600.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _pages_are_distinct(self) -> "PagesJob":
        numbers = [page.page_number for page in self.pages]
        keys = [page.output_key for page in self.pages]
        if len(set(numbers)) != len(numbers) or len(set(keys)) != len(keys):
            raise ValueError("page numbers and output keys must be distinct")
        return self


class IdentityJob(SentMessage):
    """Make sure that an identity embedding is in the store, before the pages that need it.

    ``job_id``, ``dispatch`` and ``deadline_s`` are as in :class:`PagesJob`. A second delivery
    finds what the first one stored.
    """

    version: Literal[1] = CONTRACT_VERSION
    kind: Literal["identity"] = "identity"
    job_id: Identifier
    dispatch: int = Field(default=1, ge=1)
    identity: IdentitySource
    deadline_s: float = Field(default=120.0, gt=0, le=3600)


class HealthJob(SentMessage):
    """Ask one worker how it is; the answer is a HealthReport. Which worker takes it is RunPod's
    choice."""

    version: Literal[1] = CONTRACT_VERSION
    kind: Literal["health"] = "health"
    job_id: Identifier | None = None


def _kind(job: Any) -> str | None:
    """The tag of a job's kind: a job that doesn't say it is one of pages."""
    if not isinstance(job, dict):
        return getattr(job, "kind", "pages")
    kind = job.get("kind", "pages")
    return kind if isinstance(kind, str) else None


Job = Annotated[
    Annotated[PagesJob, Tag("pages")]
    | Annotated[IdentityJob, Tag("identity")]
    | Annotated[HealthJob, Tag("health")],
    Discriminator(
        _kind,
        custom_error_type="unknown_kind",
        # The value isn't echoed: it may be anything.
        custom_error_message="kind is none of 'pages', 'identity' and 'health'",
    ),
]
"""What RunPod hands to a worker."""

JOB: TypeAdapter[PagesJob | IdentityJob | HealthJob] = TypeAdapter(Job)
