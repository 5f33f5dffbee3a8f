"""The render plan of a job: which graph for which page or identity, and under which names."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from contract.job import IdentitySource, ObjectRef, PagesJob, PageTask, WorkflowRef
from handler.errors import InvalidJob, InvalidSlot
from handler.exchange import exchanged, raw_slots
from handler.graph import FilledGraph, Workflow, Workflows

RUN_PREFIX = "job_"
"""How the name of a run begins; its files lie in a folder of that name."""

PHOTO_SLOT = "photo"
"""The image slot of a workflow that makes identities."""

_IDENTITY_SEED = 0  # nothing is drawn by lot in an extraction

_DIGEST_VERSION: Final = 1
"""Counts the changes of what a page's digest is made from, or of how pages look without one."""


@dataclass(frozen=True)
class PagePlan:
    """One page. ``error`` is what is wrong with it before anything is fetched, if anything.
    ``identity`` is the job's, for a workflow that takes one."""

    task: PageTask
    workflow: Workflow
    prefix: str
    error: InvalidSlot | None
    identity: IdentitySource | None = None

    @cached_property
    def digest(self) -> str:
        """A SHA-256 of all that the page is made from. It goes with the stored page, and so tells
        a page that needn't be rendered again from one that must."""
        made_from = {
            "digest": _DIGEST_VERSION,
            "workflow": [self.workflow.spec.name, self.workflow.spec.version],
            "seed": self.task.seed,
            "slots": self.task.slots,
            "assets": {slot: _content(ref) for slot, ref in self.task.assets.items()},
            "identity": None if self.identity is None else _made_from(self.identity),
        }
        canonical = json.dumps(made_from, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def raw_slots(self) -> frozenset[str]:
        """The image slots that are filled with pixels, see :mod:`handler.exchange`."""
        return raw_slots(self.workflow)

    def graph(self, images: Mapping[str, str], embedding: str | None = None) -> FilledGraph:
        """Return the page's graph; ``images`` maps its image slots to input file names, and
        ``embedding`` is the input file of its identity slot, if it has one.

        Raises:
            InvalidSlot: see :meth:`handler.graph.Workflow.check`.
        """
        slot = self.workflow.identity_slot
        files = dict(images)
        if slot is not None and embedding is not None:
            files[slot] = embedding
        filled = self.workflow.fill(
            self.task.slots, files, filename_prefix=self.prefix, seed=self.task.seed
        )
        return exchanged(self.workflow, filled)


@dataclass(frozen=True)
class IdentityPlan:
    """Where a job's identity comes from, and what extracts it."""

    source: IdentitySource
    workflow: Workflow
    prefix: str

    @cached_property
    def raw_slots(self) -> frozenset[str]:
        """See :attr:`PagePlan.raw_slots`."""
        return raw_slots(self.workflow)

    def graph(self, images: Mapping[str, str]) -> FilledGraph:
        """Return the graph that extracts; ``images`` maps its photo slot to an input file name.

        Raises:
            InvalidSlot: see :meth:`handler.graph.Workflow.check`.
        """
        filled = self.workflow.fill({}, images, filename_prefix=self.prefix, seed=_IDENTITY_SEED)
        return exchanged(self.workflow, filled)


def plan_identity(source: IdentitySource, workflows: Workflows, run: str) -> IdentityPlan:
    """Return the plan of a job's identity; ``run`` is as for :func:`plan_pages`.

    Raises:
        UnknownWorkflow: the workflow that is to extract isn't there.
        InvalidJob: it makes no identity.
        InvalidSlot: it needs something else than a photo.
    """
    workflow = workflows.get(source.workflow.name, source.workflow.version)
    if workflow.makes != "identity":
        raise InvalidJob(f"{workflow.label} makes no identity")
    workflow.check({}, frozenset({PHOTO_SLOT}))
    return IdentityPlan(source, workflow, f"{run}/identity")


def plan_pages(job: PagesJob, workflows: Workflows, run: str) -> list[PagePlan]:
    """Return the plans of a job's pages in the order to render them.

    ``run`` names the folder of this run's files: outputs of different runs never share a name.

    Raises:
        UnknownWorkflow: the job asks for a workflow that isn't there.
        InvalidJob: that workflow makes no pages, or the job has an identity that it doesn't take.
            A job that lacks one is an error of each page: that a slot is missing.
    """
    workflow = workflows.get(job.workflow.name, job.workflow.version)
    if workflow.makes != "image":
        raise InvalidJob(f"{workflow.label} makes no pages")
    if job.identity is not None and workflow.identity_slot is None:
        raise InvalidJob(f"identity: {workflow.label} takes none")
    return [_plan(task, workflow, run, job.identity) for task in job.pages]


def _plan(
    task: PageTask, workflow: Workflow, run: str, identity: IdentitySource | None
) -> PagePlan:
    error = None
    try:
        _check_slots(task, workflow, identity is not None)
    except InvalidSlot as invalid:
        error = invalid
    return PagePlan(task, workflow, f"{run}/page_{task.page_number:03d}", error, identity)


def _content(ref: ObjectRef) -> dict[str, str]:
    """What an object is known by: its bytes if they are known, else its place."""
    return {"key": ref.key} if ref.sha256 is None else {"sha256": ref.sha256}


def _made_from(identity: IdentitySource) -> dict[str, Any]:
    workflow: WorkflowRef = identity.workflow
    return {
        "embedding": identity.embedding_key,
        "photo": _content(identity.photo),
        "workflow": [workflow.name, workflow.version],
    }


def _check_slots(task: PageTask, workflow: Workflow, has_identity: bool) -> None:
    slot, files = workflow.identity_slot, frozenset(task.assets)
    if slot is not None:
        if slot in files:
            raise InvalidSlot(f"slot {slot!r} belongs into the job's identity")
        if not has_identity:
            raise InvalidSlot(f"slot {slot!r} of {workflow.label} is missing: the job's identity")
        files |= {slot}
    workflow.check(task.slots, files)
