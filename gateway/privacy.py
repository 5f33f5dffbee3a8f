"""Removing what belongs to a child or a customer, for good; and telling what there is.

A preview is *buried* first, in one transaction: its record becomes a tombstone, its jobs are given
up, and from then on nobody sees it or makes anything of it. Then its files are deleted, and only
then a row of ``removals`` says so. Whoever dies in between, or finds the store away, leaves a
tombstone without such a row: ``gateway.retention`` goes on with it. What a worker stores after all
is removed by a later sweep. Functions block.
"""

import hashlib
import hmac
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, false, func, or_, select, update
from sqlalchemy.orm import Session

from contract.keys import (
    book_key,
    clean_image_key,
    embedding_key,
    preview_image_key,
)
from gateway import order_book
from gateway.desk_views import PARTS
from gateway.errors import Problem
from gateway.order_records import (
    InboxItem,
    Order,
    OrderEvent,
    OutboxItem,
    PrintJobRecord,
    Removal,
)
from gateway.orders import OrderStatus
from gateway.records import AS_PAINTED, Job, Page, Photo, Preview, reading, writing
from gateway.services import Services
from gateway.stop_jobs import jobs_of_order, stop_jobs
from storage.errors import StoreError

logger = logging.getLogger(__name__)

OVER: Final = frozenset(
    {
        OrderStatus.DELIVERED,
        OrderStatus.COMPLETED,
        OrderStatus.CANCELLED,
        OrderStatus.FAILED,
    }
)
"""Orders in these states need neither photo nor pages any more; all others are open."""

_NOTES: Final = ("refund_note",)
"""Events of an order that people write something into."""


_TELLING: Final = 6
"""Characters that a name must have at least to be looked for in webhooks' bodies."""


class Reason(StrEnum):
    """Why something was removed. ``LATE`` is what came back after it was."""

    EXPIRED = "expired"
    REQUESTED = "requested"
    LATE = "late"


@dataclass(frozen=True)
class Erased:
    """How much there was of a customer. ``objects`` are files that are gone; where the store was
    away, the next sweep deletes the rest."""

    orders: int
    previews: int
    objects: int


def erase_preview(services: Services, preview_id: str) -> Sequence[str]:
    """Remove a preview at its parent's wish, with its photo if no other preview needs that; return
    the ids of its jobs. Files that can't be deleted now are deleted by the next sweep.

    Raises:
        Problem: ``preview_unknown``; ``preview_ordered`` while a paid order of it is open.
    """
    with writing(services.engine) as session:
        preview = session.get(Preview, preview_id, with_for_update=True)
        if preview is None or preview.erased_at is not None:
            raise Problem("preview_unknown")
        if session.scalar(select(Order.order_id).where(_open_order_of(preview_id)).limit(1)):
            raise Problem("preview_ordered")
        bury(services, session, preview)
        photo_id = _let_photo_go(services, session, preview.photo_id)
        jobs = session.scalars(select(Job.job_id).where(Job.preview_id == preview_id)).all()
    _remove_now(services, [preview_id], [photo_id] if photo_id else [])
    return jobs


def erase_customer(
    services: Services,
    shop_id: str,
    *,
    customer_id: str | None = None,
    email: str | None = None,
) -> Erased:
    """Remove all that a shop's customer left with us: previews, photos, pages, books, addresses.

    Open orders are cancelled, or, where the printer has them, held and stripped of the address. A
    preview that somebody else's open order needs stays until that is done. What is left of an order
    are amounts, dates and the payment provider's ids. Doing it again is harmless.

    Raises:
        ValueError: neither the customer's id nor an e-mail address is given.
    """
    whose = _Customer(shop_id, customer_id, email)
    with writing(services.engine) as session:
        orders = _orders_of(session, whose)
        previews = _previews_of(session, whose, orders)
        _empty_inbox(session, whose, orders)
        for order in orders:
            _strip(services, session, order)
        session.flush()
        buried = [
            preview
            for preview in previews
            if not session.scalar(
                select(Order.order_id).where(_open_order_of(preview.preview_id)).limit(1)
            )
        ]
        for preview in buried:
            bury(services, session, preview)
        session.flush()
        photos = {_let_photo_go(services, session, preview.photo_id) for preview in buried}
        for subject in whose.hashed(services.settings.app_secret.get_secret_value()):
            session.add(
                Removal(
                    at=services.clock.now(),
                    kind="customer",
                    subject=subject,
                    reason=Reason.REQUESTED,
                    detail={"orders": len(orders), "previews": len(buried)},
                )
            )
    buried_ids = [preview.preview_id for preview in buried]
    objects = _remove_now(services, buried_ids, sorted(photos - {None}, key=str))
    return Erased(len(orders), len(buried), objects)


def data_of_customer(
    services: Services,
    shop_id: str,
    *,
    customer_id: str | None = None,
    email: str | None = None,
) -> dict[str, Any]:
    """Return what is stored of a shop's customer, as JSON.

    Raises:
        ValueError: neither the customer's id nor an e-mail address is given.
    """
    whose = _Customer(shop_id, customer_id, email)
    with reading(services.engine) as session:
        orders = _orders_of(session, whose, held=False)
        previews = _previews_of(session, whose, orders, held=False)
        return {
            "orders": [_told_order(order) for order in orders],
            "previews": [_told_preview(session, preview) for preview in previews],
        }


def bury(services: Services, session: Session, preview: Preview) -> None:
    """Make a tombstone of a preview, in the caller's transaction, and give up its jobs."""
    now = services.clock.now()
    preview.erased_at = now
    preview.expires_at = min(preview.expires_at, now)
    preview.child_name = preview.request_hash = ""
    preview.child_age = preview.child_gender = preview.appearance = None
    preview.session_id = preview.customer_id = preview.idempotency_key = None
    jobs = session.scalars(
        select(Job).where(Job.preview_id == preview.preview_id).with_for_update()
    ).all()
    stop_jobs(services, jobs)
    for job in jobs:
        job.request_hash = ""
        job.idempotency_key = None
    for order in session.scalars(select(Order).where(Order.preview_id == preview.preview_id)):
        order.files = None


def remove_buried(services: Services, preview_id: str) -> int:
    """Delete the files of a buried preview, and write down that they are gone; return how many
    there were.

    Raises:
        StoreError: the store failed; nothing is written down.
    """
    with reading(services.engine) as session:
        preview = session.get_one(Preview, preview_id)
        keys = keys_of_preview(session, preview_id)
    # What a parent asked for came before the preview's end.
    asked = preview.erased_at is not None and preview.erased_at <= preview.expires_at
    reason = Reason.REQUESTED if asked else Reason.EXPIRED
    deleted = delete_all(services, keys)
    with writing(services.engine) as session:
        session.get_one(Preview, preview_id, with_for_update=True)
        if not was_removed(session, "preview", preview_id):
            session.add(
                Removal(
                    at=services.clock.now(),
                    kind="preview",
                    subject=preview_id,
                    reason=reason,
                    objects=deleted,
                )
            )
            for page in session.scalars(select(Page).where(Page.preview_id == preview_id)):
                page.preview_key = page.clean_key = None
    return deleted


def remove_photo(services: Services, photo_id: str, reason: Reason) -> int:
    """Delete a photo and the embedding of its face, and write that down; return how many files
    there were.

    Raises:
        StoreError: the store failed; nothing is written down.
    """
    with reading(services.engine) as session:
        key = session.get_one(Photo, photo_id).key
    deleted = delete_all(services, [key, embedding_key(photo_id)])
    now = services.clock.now()
    with writing(services.engine) as session:
        photo = session.get_one(Photo, photo_id, with_for_update=True)
        if photo.removed_at is None:
            photo.removed_at = now
            photo.expires_at = min(photo.expires_at, now)
            photo.sha256 = ""
            session.add(
                Removal(at=now, kind="photo", subject=photo_id, reason=reason, objects=deleted)
            )
    return deleted


def keys_of_preview(session: Session, preview_id: str) -> list[str]:
    """The keys of all files that may have been made for a preview."""
    pages = session.scalars(select(Page).where(Page.preview_id == preview_id)).all()
    orders = session.scalars(select(Order.order_id).where(Order.preview_id == preview_id)).all()
    keys = [page.key for page in pages]
    for page in pages:
        if page.variant == AS_PAINTED:
            keys.append(preview_image_key(preview_id, page.page_number, page.take))
            keys.append(clean_image_key(preview_id, page.page_number, page.take))
    return keys + [book_key(order_id, part) for order_id in orders for part in PARTS]


def delete_all(services: Services, keys: Iterable[str]) -> int:
    """Delete the objects under these keys; return how many there were.

    Raises:
        StoreError: the store failed; those before it are gone.
    """
    deleted = 0
    for key in keys:
        if services.store.exists(key):
            services.store.delete(key)
            deleted += 1
    return deleted


def was_removed(session: Session, kind: str, subject: str) -> bool:
    """Whether it is written down that this is gone."""
    found = select(Removal.removal_id).where(Removal.kind == kind, Removal.subject == subject)
    return session.scalar(found.limit(1)) is not None


def is_open() -> ColumnElement[bool]:
    """The condition for orders that still need their photo and pages."""
    return and_(Order.status.not_in(OVER), Order.erased_at.is_(None))


def _remove_now(
    services: Services, preview_ids: Iterable[str], photo_ids: Iterable[str | None]
) -> int:
    deleted = 0
    try:
        for preview_id in preview_ids:
            deleted += remove_buried(services, preview_id)
        for photo_id in photo_ids:
            if photo_id is not None:
                deleted += remove_photo(services, photo_id, Reason.REQUESTED)
    except StoreError as error:
        logger.warning("files stay until the next sweep", extra={"reason": type(error).__name__})
    return deleted


def _let_photo_go(services: Services, session: Session, photo_id: str) -> str | None:
    """Let a photo expire that no living preview needs; its id if so."""
    session.flush()
    needed = session.scalar(
        select(Preview.preview_id)
        .where(Preview.photo_id == photo_id, Preview.erased_at.is_(None))
        .limit(1)
    )
    photo = session.get_one(Photo, photo_id, with_for_update=True)
    if needed is not None or photo.removed_at is not None:
        return None
    photo.expires_at = min(photo.expires_at, services.clock.now())
    return photo_id


def _open_order_of(preview_id: str) -> ColumnElement[bool]:
    return and_(Order.preview_id == preview_id, is_open())


@dataclass(frozen=True)
class _Customer:
    """Who a shop's customer is, by the shop's id of them or their e-mail address."""

    shop_id: str
    customer_id: str | None
    email: str | None

    def __post_init__(self) -> None:
        if not self.customer_id and not self.email:
            raise ValueError("a customer is named by an id or an e-mail address")

    def hashed(self, secret: str) -> list[str]:
        """The customer's names, as a tombstone may keep them: not to be found without our secret,
        since addresses can be guessed."""
        names = [self.customer_id, self.email.lower() if self.email else None]
        told = [f"{self.shop_id}\n{name}".encode() for name in names if name]
        return [hmac.new(secret.encode(), name, hashlib.sha256).hexdigest() for name in told]

    def orders(self) -> ColumnElement[bool]:
        """The condition for orders of this customer."""
        by_id = Order.customer_id == self.customer_id if self.customer_id else false()
        by_mail = func.lower(Order.email) == self.email.lower() if self.email else false()
        return and_(Order.shop_id == self.shop_id, or_(by_id, by_mail))


def _orders_of(session: Session, whose: _Customer, *, held: bool = True) -> Sequence[Order]:
    wanted = select(Order).where(whose.orders()).order_by(Order.order_id)
    return session.scalars(wanted.with_for_update() if held else wanted).all()


def _previews_of(
    session: Session, whose: _Customer, orders: Sequence[Order], *, held: bool = True
) -> Sequence[Preview]:
    of_orders = Preview.preview_id.in_([order.preview_id for order in orders if order.preview_id])
    own = (
        and_(Preview.shop_id == whose.shop_id, Preview.customer_id == whose.customer_id)
        if whose.customer_id
        else false()
    )
    wanted = (
        select(Preview)
        .where(or_(of_orders, own), Preview.erased_at.is_(None))
        .order_by(Preview.preview_id)
    )
    return session.scalars(wanted.with_for_update() if held else wanted).all()


def _strip(services: Services, session: Session, order: Order) -> None:
    """End an order as far as that is possible, and take out of it whom it is for."""
    now = services.clock.now()
    if order.status not in OVER:
        if order_book.cancel(session, order, "erased", now, actor=order_book.SYSTEM):
            stop_jobs(services, jobs_of_order(session, order))
        else:
            order_book.hold(session, order, "erased", now, actor=order_book.SYSTEM)
    order.email = order.address = order.customer_id = order.files = None
    order.erased_at = now
    session.flush()
    of_order = OutboxItem.order_id == order.order_id
    session.execute(
        update(OutboxItem)
        .where(of_order, OutboxItem.kind == "mail", OutboxItem.due_at.is_not(None))
        .values(due_at=None, error="erased")
    )
    session.execute(
        update(PrintJobRecord)
        .where(PrintJobRecord.order_id == order.order_id)
        .values(tracking=None)
    )
    session.execute(
        update(OrderEvent)
        .where(OrderEvent.order_id == order.order_id, OrderEvent.kind.in_(_NOTES))
        .values(detail=None)
    )


def _empty_inbox(session: Session, whose: _Customer, orders: Sequence[Order]) -> None:
    """Empty what webhooks said of the customer. One that is still to be done with keeps its body:
    it is emptied then."""
    told = {whose.email, whose.customer_id}
    for order in orders:
        told |= {order.source_order, order.email}
    for text in sorted(word for word in told if word and len(word) >= _TELLING):
        session.execute(
            update(InboxItem)
            .where(InboxItem.due_at.is_(None), InboxItem.body.contains(text, autoescape=True))
            .values(body=None)
        )


def _told_order(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "source": order.source.value,
        "source_order": order.source_order,
        "status": order.status.value,
        "amount": order.amount,
        "currency": order.currency,
        "quantity": order.quantity,
        "paid_at": _moment(order.paid_at),
        "customer_id": order.customer_id,
        "email": order.email,
        "address": order.address,
        "preview_id": order.preview_id,
        "download_until": _moment(order.download_until),
    }


def _told_preview(session: Session, preview: Preview) -> dict[str, Any]:
    photo = session.get_one(Photo, preview.photo_id)
    return {
        "preview_id": preview.preview_id,
        "book_id": preview.book_id,
        "child_name": preview.child_name,
        "child_age": preview.child_age,
        "child_gender": preview.child_gender,
        "appearance": preview.appearance,
        "session_id": preview.session_id,
        "created_at": _moment(preview.created_at),
        "expires_at": _moment(preview.expires_at),
        "photo": {
            "photo_id": photo.photo_id,
            "uploaded_at": _moment(photo.created_at),
            "consent": photo.consent,
            "removed_at": _moment(photo.removed_at),
            "expires_at": _moment(photo.expires_at),
        },
        "files": keys_of_preview(session, preview.preview_id),
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
