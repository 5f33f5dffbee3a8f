"""Stopping render jobs that nobody wants any more, at the endpoint too.

Giving a job up is part of a transaction: from then on nothing of it is submitted. The endpoint is
told afterwards, by :func:`stop_cancelled`. What it couldn't be told stands in SQL, in the job's
``ask_at``, so that a gateway that dies, or an endpoint that is away, leaves no job running for
longer than until the next round.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import anyio.to_thread
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from contract.status import TERMINAL_STATUSES, JobStatus
from gateway.due import is_due
from gateway.ledger import CLAIM_LIFE, Ledger
from gateway.order_records import Order, OrderPage
from gateway.orders import OrderStatus
from gateway.ports import Clock, EndpointError, RenderEndpoint
from gateway.records import Job, Page, reading, writing

logger = logging.getLogger(__name__)

_BATCH: Final = 100
_TELL_AGAIN: Final = timedelta(seconds=20)
_TOLD_FOR: Final = timedelta(days=1)
"""The endpoint keeps no job for longer."""


def stop_jobs(ledger: Ledger, jobs: Iterable[Job], now: datetime) -> int:
    """Give up the jobs that are still open, in the caller's transaction; return how many were.

    ``jobs`` are held. The endpoint hears of it by :func:`stop_cancelled`, after the commit.
    """
    stopped = 0
    for job in jobs:
        if job.status in TERMINAL_STATUSES:
            continue
        ledger.cancel(job)
        # A job that is being submitted at this moment has no id at the endpoint yet.
        job.ask_at = now if job.dispatch else None
        stopped += 1
    return stopped


def jobs_of_order(session: Session, order: Order) -> list[Job]:
    """The open jobs that work for this order alone, held: not those that make a picture which
    another order of the same preview waits for."""
    jobs = session.scalars(
        select(Job)
        .where(Job.order_id == order.order_id, Job.status.not_in(TERMINAL_STATUSES))
        .with_for_update()
    ).all()
    return [job for job in jobs if not _is_shared(session, order, job)]


async def stop_cancelled(engine: Engine, clock: Clock, endpoint: RenderEndpoint) -> int:
    """Tell the endpoint of the jobs that were given up; return how many it was told of."""
    told = 0
    for job_id, runpod_id in await anyio.to_thread.run_sync(_untold, engine, clock.now()):
        done = runpod_id is not None and await _tell(endpoint, job_id, runpod_id)
        await anyio.to_thread.run_sync(_note, engine, clock.now(), job_id, done)
        told += done
    return told


async def _tell(endpoint: RenderEndpoint, job_id: str, runpod_id: str) -> bool:
    try:
        await endpoint.cancel(runpod_id)
    except EndpointError:
        logger.warning("endpoint can't be told to stop a job", extra={"job_id": job_id})
        return False
    return True


def _untold(engine: Engine, now: datetime) -> list[tuple[str, str | None]]:
    with reading(engine) as session:
        rows = session.execute(
            select(Job.job_id, Job.runpod_id)
            .where(Job.status == JobStatus.CANCELLED, is_due(Job.ask_at, now, _TELL_AGAIN))
            .order_by(Job.ask_at)
            .limit(_BATCH)
        ).all()
    return [(job_id, runpod_id) for job_id, runpod_id in rows]


def _note(engine: Engine, now: datetime, job_id: str, told: bool) -> None:
    """Write down that the endpoint was told, or when it is to be told again."""
    with writing(engine) as session:
        job = session.get_one(Job, job_id, with_for_update=True)
        if job.status is not JobStatus.CANCELLED or job.ask_at is None:
            return
        given_up = job.completed_at or now
        patience = CLAIM_LIFE if job.runpod_id is None else _TOLD_FOR
        job.ask_at = None if told or now >= given_up + patience else now + _TELL_AGAIN


def _is_shared(session: Session, order: Order, job: Job) -> bool:
    """Whether a picture of the job is in the book of another order that isn't over."""
    over = [status for status in OrderStatus if status.is_terminal]
    found = session.scalar(
        select(Page.page_number)
        .join(
            OrderPage,
            (OrderPage.page_number == Page.page_number) & (OrderPage.take == Page.take),
        )
        .join(Order, Order.order_id == OrderPage.order_id)
        .where(Page.job_id == job.job_id, Order.preview_id == Page.preview_id)
        .where(Order.order_id != order.order_id, Order.status.not_in(over))
        .limit(1)
    )
    return found is not None
