"""Removing what has had its time. One sweep may be done by several gateways at once, be cut short
at any point, and be repeated: files are deleted before it is written down that they are.

=============  ==============================================================================
shipped        orders count as done some days after they were shipped or delivered
previews       tombstones once they expired, with all their pictures, and books' PDFs with them
buried         tombstones whose files couldn't be deleted at once
late           files that a worker stored for a tombstone after all
photos         once they expired
embeddings     a day after the job that made them
downloads      books' PDFs once their parents may no longer download them
inbox, outbox  what webhooks said and carried, after a month
audit          what was done at the desk, after a year
=============  ==============================================================================

Nothing is removed that an open order needs.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import CursorResult, delete, exists, func, literal, or_, select, update
from sqlalchemy.orm import Session

from contract.keys import BOOK_PARTS, book_key, embedding_key
from gateway import order_book
from gateway.erasure import is_open
from gateway.order_records import AuditEntry, InboxItem, Order, OutboxItem, Removal
from gateway.orders import STOPPED, WORKING, OrderStatus
from gateway.records import Job, Photo, Preview, UtcDateTime, reading, writing
from gateway.removals import Reason, keys_of_preview
from gateway.services import Services
from storage.errors import StoreError, StoreUnavailable

logger = logging.getLogger(__name__)

EMBEDDING_LIFE: Final = timedelta(hours=24)
WEBHOOK_LIFE: Final = timedelta(days=30)
AUDIT_LIFE: Final = timedelta(days=365)
LATE: Final = timedelta(days=2)
"""For so long after its end a job's worker may still store something: the endpoint keeps a job for
a day."""

_BATCH: Final = 500
_NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)


def sweep(services: Services) -> dict[str, int]:
    """Remove what is due; return how much of each kind there was. Blocks, perhaps for minutes.

    What can't be removed now, because the store is away or fails, is left for the next sweep.
    """
    return {name: work(services) for name, work in _SWEEPS.items()}


def _complete(services: Services) -> int:
    now = services.clock.now()
    before = now - timedelta(days=services.settings.complete_after_days)
    with reading(services.engine) as session:
        due = session.scalars(
            select(Order.order_id)
            .where(Order.status.in_((OrderStatus.SHIPPED, OrderStatus.DELIVERED)))
            .where(Order.updated_at <= before, Order.shipped_at <= before)
            .limit(_BATCH)
        ).all()
    for order_id in due:
        with writing(services.engine) as session:
            order = order_book.lock_order(session, order_id)
            if order and order.status in (OrderStatus.SHIPPED, OrderStatus.DELIVERED):
                order_book.move(session, order, OrderStatus.COMPLETED, now)
    return len(due)


def _previews(services: Services) -> int:
    with reading(services.engine) as session:
        due = session.scalars(
            select(Preview.preview_id)
            .where(Preview.expires_at <= services.clock.now(), Preview.erased_at.is_(None))
            .where(~exists().where(Order.preview_id == Preview.preview_id, is_open()))
            .order_by(Preview.expires_at)
            .limit(_BATCH)
        ).all()
    return _each(services, due, _expire)


def _expire(services: Services, preview_id: str) -> int:
    with writing(services.engine) as session:
        preview = session.get_one(Preview, preview_id, with_for_update=True)
        if preview.erased_at is None:
            services.erasure.bury(session, preview)
    return _remove_buried(services, preview_id)


def _buried(services: Services) -> int:
    gone = exists().where(Removal.kind == "preview", Removal.subject == Preview.preview_id)
    with reading(services.engine) as session:
        due = session.scalars(
            select(Preview.preview_id)
            .where(Preview.erased_at.is_not(None), ~gone)
            .order_by(Preview.erased_at)
            .limit(_BATCH)
        ).all()
    return _each(services, due, _remove_buried)


def _remove_buried(services: Services, preview_id: str) -> int:
    services.erasure.removals.remove_buried(preview_id)
    return 1


def _late(services: Services) -> int:
    """Only jobs that were at the endpoint shortly before matter; most tombstones have none."""
    recent = services.clock.now() - LATE
    with reading(services.engine) as session:
        due = session.scalars(
            select(Preview.preview_id)
            .join(Job, Job.preview_id == Preview.preview_id)
            .where(Preview.erased_at.is_not(None), Job.dispatch > 0)
            .where(or_(Job.completed_at.is_(None), Job.completed_at > recent))
            .distinct()
        ).all()
    return _each(services, due, _remove_late)


def _remove_late(services: Services, preview_id: str) -> int:
    with reading(services.engine) as session:
        keys = keys_of_preview(session, preview_id)
        photo = session.get_one(Photo, session.get_one(Preview, preview_id).photo_id)
        if photo.removed_at is not None:
            keys += [photo.key, embedding_key(photo.photo_id)]
    deleted = services.erasure.removals.delete_all(keys)
    if deleted:
        _write_down(services, "preview", preview_id, Reason.LATE, deleted)
    return min(deleted, 1)


def _photos(services: Services) -> int:
    needed = exists().where(
        Preview.photo_id == Photo.photo_id, Order.preview_id == Preview.preview_id, is_open()
    )
    with reading(services.engine) as session:
        due = session.scalars(
            select(Photo.photo_id)
            .where(Photo.expires_at <= services.clock.now(), Photo.removed_at.is_(None), ~needed)
            .order_by(Photo.expires_at)
            .limit(_BATCH)
        ).all()
    return _each(services, due, _remove_photo)


def _remove_photo(services: Services, photo_id: str) -> int:
    services.erasure.removals.remove_photo(photo_id, Reason.EXPIRED)
    return 1


def _embeddings(services: Services) -> int:
    """An embedding is made by a job, at any moment of it, and is used for a day: a later job makes
    another one. So a day after a job began there is nothing left to keep."""
    now = services.clock.now()
    began = func.coalesce(Job.started_at, Job.queued_at, type_=UtcDateTime())
    removed = (
        select(func.max(Removal.at, type_=UtcDateTime()))
        .where(Removal.kind == "embedding", Removal.subject == Photo.photo_id)
        .scalar_subquery()
    )
    needed = exists().where(
        Preview.photo_id == Photo.photo_id,
        Order.preview_id == Preview.preview_id,
        Order.status.in_(WORKING | STOPPED),
    )
    with reading(services.engine) as session:
        due = session.scalars(
            select(Photo.photo_id)
            .join(Preview, Preview.photo_id == Photo.photo_id)
            .join(Job, Job.preview_id == Preview.preview_id)
            .where(Photo.removed_at.is_(None), Job.dispatch > 0, began <= now - EMBEDDING_LIFE)
            .where(Job.completed_at > func.coalesce(removed, literal(_NEVER, UtcDateTime())))
            .where(~needed)
            .distinct()
            .limit(_BATCH)
        ).all()
    return _each(services, due, _remove_embedding)


def _remove_embedding(services: Services, photo_id: str) -> int:
    deleted = services.erasure.removals.delete_all([embedding_key(photo_id)])
    _write_down(services, "embedding", photo_id, Reason.EXPIRED, deleted)
    return 1


def _downloads(services: Services) -> int:
    with reading(services.engine) as session:
        due = session.scalars(
            select(Order.order_id)
            .where(Order.download_until <= services.clock.now(), Order.files.is_not(None))
            .where(~is_open())
            .limit(_BATCH)
        ).all()
    return _each(services, due, _remove_download)


def _remove_download(services: Services, order_id: str) -> int:
    deleted = services.erasure.removals.delete_all(
        [book_key(order_id, part) for part in BOOK_PARTS]
    )
    now = services.clock.now()
    with writing(services.engine) as session:
        order = order_book.lock_order(session, order_id)
        if order is not None and order.files is not None:
            order.files = None
            session.add(_removal(now, "book", order_id, Reason.EXPIRED, deleted))
    return 1


def _inbox(services: Services) -> int:
    before = services.clock.now() - WEBHOOK_LIFE
    old = (
        InboxItem.due_at.is_(None),
        InboxItem.body.is_not(None),
        InboxItem.received_at <= before,
    )
    return _emptied(
        services, "inbox", lambda s: s.execute(update(InboxItem).where(*old).values(body=None))
    )


def _outbox(services: Services) -> int:
    before = services.clock.now() - WEBHOOK_LIFE
    old = (
        OutboxItem.due_at.is_(None),
        OutboxItem.payload.is_not(None),
        OutboxItem.created_at <= before,
    )
    return _emptied(
        services, "outbox", lambda s: s.execute(update(OutboxItem).where(*old).values(payload=None))
    )


def _audit(services: Services) -> int:
    before = services.clock.now() - AUDIT_LIFE
    return _emptied(
        services, "audit", lambda s: s.execute(delete(AuditEntry).where(AuditEntry.at <= before))
    )


def _emptied(services: Services, kind: str, work: Callable[[Session], Any]) -> int:
    """Do ``work`` on rows, and write down how many there were."""
    with writing(services.engine) as session:
        result = work(session)
        assert isinstance(result, CursorResult)
        rows: int = result.rowcount
        if rows:
            session.add(_removal(services.clock.now(), kind, "rows", Reason.EXPIRED, rows))
    return rows


def _each(services: Services, subjects: Sequence[str], work: Callable[[Services, str], int]) -> int:
    """Do ``work`` on each subject; those that the store fails for stay. Return what was done."""
    done = 0
    for subject in subjects:
        try:
            done += work(services, subject)
        except StoreError as error:
            facts = {"subject": subject, "reason": type(error).__name__}
            logger.warning("couldn't be removed now", extra=facts)
            if isinstance(error, StoreUnavailable):
                break  # the others would only wait for it, too
    return done


def _write_down(services: Services, kind: str, subject: str, reason: Reason, objects: int) -> None:
    with writing(services.engine) as session:
        session.add(_removal(services.clock.now(), kind, subject, reason, objects))


def _removal(at: datetime, kind: str, subject: str, reason: Reason, objects: int) -> Removal:
    return Removal(at=at, kind=kind, subject=subject, reason=reason, objects=objects)


_SWEEPS: Final[dict[str, Callable[[Services], int]]] = {
    "shipped": _complete,
    "previews": _previews,
    "buried": _buried,
    "late": _late,
    "photos": _photos,
    "embeddings": _embeddings,
    "downloads": _downloads,
    "inbox": _inbox,
    "outbox": _outbox,
    "audit": _audit,
}
