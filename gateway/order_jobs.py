"""The render jobs of an order: its pages in shards, a few of them at the endpoint at a time.

A shard is a job like a preview's, so it is dispatched, followed and tried again like one. It waits,
without a ``next_dispatch_at``, until it is released. Pages belong to the preview: two orders of one
preview share the takes that both want.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.status import TERMINAL_STATUSES, JobStatus, PageStatus
from gateway.ids import new_id
from gateway.jobs import QUEUED_STEP
from gateway.looks import Rendering
from gateway.records import Job, Page

ORDER: Final = "order"
"""The kind of a job that works for an order."""


@dataclass(frozen=True)
class Wanted:
    """A picture that an order needs; ``key`` is where its PNG goes if it isn't there yet."""

    page_number: int
    take: int
    variant: str
    key: str
    seed: int


@dataclass(frozen=True)
class Shards:
    """How an order's pages are divided: pages in a job, and jobs at the endpoint at a time."""

    pages: int
    at_once: int


def plan(
    session: Session,
    *,
    order_id: str,
    preview_id: str,
    wanted: Sequence[Wanted],
    rendering: Rendering,
    shards: Shards,
    now: datetime,
) -> None:
    """See to it that every wanted picture is there or has a job that makes it.

    Done again, it changes nothing; a picture whose job was given up goes into a new one.
    """
    homeless = []
    for item in wanted:
        page = session.get(Page, (preview_id, item.page_number, item.take, item.variant))
        if page is None or _is_abandoned(session, page):
            homeless.append((item, page))
    for start in range(0, len(homeless), shards.pages):
        shard = homeless[start : start + shards.pages]
        job = Job(
            job_id=new_id(),
            preview_id=preview_id,
            order_id=order_id,
            kind=ORDER,
            rendering=rendering.model_dump(mode="json"),
            request_hash="",
            status=JobStatus.QUEUED,
            current_step=QUEUED_STEP,
            queued_at=now,
        )
        session.add(job)
        session.flush()
        for item, page in shard:
            if page is None:
                session.add(_new_page(preview_id, item, job.job_id))
            else:
                page.job_id = job.job_id
                page.status = PageStatus.PENDING
                page.error = None


def pictures(session: Session, preview_id: str, wanted: Sequence[Wanted]) -> list[Page]:
    """The records of the wanted pictures, in their order. They are planned."""
    return [
        session.get_one(Page, (preview_id, item.page_number, item.take, item.variant))
        for item in wanted
    ]


def jobs_of(session: Session, pages: Sequence[Page]) -> list[Job]:
    """The jobs that make these pictures, held, by their first page."""
    ids = list(dict.fromkeys(page.job_id for page in sorted(pages, key=lambda p: p.page_number)))
    found = {
        job.job_id: job
        for job in session.scalars(select(Job).where(Job.job_id.in_(ids)).with_for_update())
    }
    return [found[job_id] for job_id in ids]


def release(jobs: Sequence[Job], shards: Shards, now: datetime, *, alone: bool) -> int:
    """Let waiting jobs go to the endpoint; return how many went.

    With ``alone`` only one is there at a time: so the first one makes the child's identity, and
    the others find it.
    """
    working = [job for job in jobs if job.status not in TERMINAL_STATUSES and not _waits(job)]
    room = (1 if alone else shards.at_once) - len(working)
    going = [job for job in jobs if _waits(job)][: max(room, 0)]
    for job in going:
        job.next_dispatch_at = now
        job.queued_at = now
    return len(going)


def _waits(job: Job) -> bool:
    """Whether the job was never released: neither submitted nor about to be."""
    return (
        job.status is JobStatus.QUEUED
        and job.next_dispatch_at is None
        and job.claimed_until is None
        and job.dispatch == 0
    )


def _is_abandoned(session: Session, page: Page) -> bool:
    if page.status is PageStatus.COMPLETED:
        return False
    return session.get_one(Job, page.job_id).status is JobStatus.CANCELLED


def _new_page(preview_id: str, item: Wanted, job_id: str) -> Page:
    return Page(
        preview_id=preview_id,
        page_number=item.page_number,
        take=item.take,
        variant=item.variant,
        job_id=job_id,
        status=PageStatus.PENDING,
        seed=item.seed,
        key=item.key,
    )
