"""How much work there is and how long it has waited, as numbers for a monitor.

Names say what is counted; ages are in seconds. Nothing in a number or a label is about a person.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Engine, exists, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from contract.status import JobStatus
from gateway.erasure import is_open
from gateway.health import DependencyStatus, Report
from gateway.metrics import Gauge
from gateway.order_records import InboxItem, Order, OutboxItem
from gateway.orders import STOPPED, WORKING
from gateway.ports import Clock
from gateway.records import Job, Photo, Preview, UtcDateTime, reading

_RECENTLY: Final = timedelta(hours=1)
_OVERDUE: Final = timedelta(days=1)
"""A photo whose time was over for so long should be gone: the sweep comes every quarter of an
hour."""


def work_gauges(engine: Engine, clock: Clock) -> list[Gauge]:
    """What the database tells. Blocks. While it is away only that is told."""
    try:
        with reading(engine) as session:
            gauges = [*_of_orders(session, clock.now()), *_of_jobs(session, clock.now())]
            gauges += _of_boxes(session, clock.now())
            gauges.append(_of_photos(session, clock.now()))
    except SQLAlchemyError:
        return [_read(0)]
    return [_read(1), *gauges]


def dependency_gauge(report: Report) -> Gauge:
    """Which of the gateway's dependencies answer."""
    return Gauge(
        "foxetales_dependency_up",
        "1 if the dependency answered when it was last asked.",
        {
            (("dependency", name),): float(found.status is DependencyStatus.OK)
            for name, found in report.dependencies.items()
        },
    )


def _read(value: int) -> Gauge:
    return Gauge("foxetales_database_read", "1 if the numbers could be read.", {(): float(value)})


def _of_orders(session: Session, now: datetime) -> Iterable[Gauge]:
    watched = sorted(WORKING | STOPPED)
    found = dict(
        session.execute(
            select(Order.status, func.count())
            .where(Order.status.in_(watched))
            .group_by(Order.status)
        ).all()
    )
    yield Gauge(
        "foxetales_orders",
        "Orders that aren't with the printer yet, by status.",
        {(("status", status.value),): float(found.get(status, 0)) for status in watched},
    )
    yield _age(
        session,
        "foxetales_order_oldest_step_seconds",
        "How long ago the order that didn't move for the longest time moved, of those at work.",
        Order.updated_at,
        Order.status.in_(WORKING),
        now=now,
    )


def _of_jobs(session: Session, now: datetime) -> Iterable[Gauge]:
    found = dict(
        session.execute(
            select(Job.status, func.count())
            .where(Job.queued_at > now - _RECENTLY)
            .group_by(Job.status)
        ).all()
    )
    yield Gauge(
        "foxetales_jobs_of_last_hour",
        "Render jobs that were queued within an hour, by what became of them.",
        {(("status", status.value),): float(found.get(status, 0)) for status in JobStatus},
    )
    yield _age(
        session,
        "foxetales_job_oldest_seconds",
        "The age of the oldest render job that hasn't ended.",
        Job.queued_at,
        Job.status.in_([status for status in JobStatus if not status.is_terminal]),
        now=now,
    )


def _of_boxes(session: Session, now: datetime) -> Iterable[Gauge]:
    undelivered = (OutboxItem.sent_at.is_(None), OutboxItem.error.is_not(None))
    given_up = session.scalar(
        select(func.count())
        .where(*undelivered, OutboxItem.due_at.is_(None))
        .select_from(OutboxItem)
    )
    yield Gauge(
        "foxetales_outbox_given_up",
        "Letters and webhooks that will not leave by themselves any more.",
        {(): float(given_up or 0)},
    )
    yield _age(
        session,
        "foxetales_outbox_oldest_seconds",
        "The age of the oldest letter or webhook that is still to leave.",
        OutboxItem.created_at,
        OutboxItem.due_at.is_not(None),
        now=now,
    )
    yield _age(
        session,
        "foxetales_inbox_oldest_seconds",
        "The age of the oldest webhook that came and isn't dealt with.",
        InboxItem.received_at,
        InboxItem.due_at.is_not(None),
        now=now,
    )


def _of_photos(session: Session, now: datetime) -> Gauge:
    needed = exists().where(
        Preview.photo_id == Photo.photo_id, Order.preview_id == Preview.preview_id, is_open()
    )
    overdue = session.scalar(
        select(func.count())
        .where(Photo.expires_at <= now - _OVERDUE, Photo.removed_at.is_(None), ~needed)
        .select_from(Photo)
    )
    return Gauge(
        "foxetales_photos_overdue",
        "Photos that are still there a day after they should be gone.",
        {(): float(overdue or 0)},
    )


def _age(
    session: Session,
    name: str,
    text: str,
    moment: Any,
    *conditions: ColumnElement[bool],
    now: datetime,
) -> Gauge:
    """How long ago the earliest ``moment`` of the rows was, in seconds; 0 without any."""
    oldest = session.scalar(select(func.min(moment, type_=UtcDateTime())).where(*conditions))
    age = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    return Gauge(name, text, {(): age})
