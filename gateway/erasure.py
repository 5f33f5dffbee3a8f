"""Erasing what belongs to a child or a customer, at their wish.

A preview is *buried* first, in one transaction: its record becomes a tombstone, its jobs are given
up, and from then on nobody sees it or makes anything of it. Then its files are deleted
(``gateway.removals``). What a worker stores after all is removed by a later sweep.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Engine, and_, select, update
from sqlalchemy.orm import Session

from gateway import order_book
from gateway.customers import Customer, customers_of, orders_of, previews_of
from gateway.errors import Problem
from gateway.ledger import Ledger
from gateway.order_records import (
    Checkout,
    InboxItem,
    Order,
    OrderEvent,
    OutboxItem,
    PrintJobRecord,
    Removal,
)
from gateway.orders import OrderStatus
from gateway.ports import Clock
from gateway.records import Job, Photo, Preview, writing
from gateway.removals import Reason, Removals
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


@dataclass(frozen=True)
class Erased:
    """How much there was of a customer. ``objects`` are files that are gone; where the store was
    away, the next sweep deletes the rest."""

    orders: int
    previews: int
    objects: int


@dataclass(frozen=True)
class Erasure:
    """Erases. Methods block, and doing it again is harmless.

    ``secret`` is by what customers' names are hashed in tombstones.
    """

    engine: Engine
    clock: Clock
    ledger: Ledger
    removals: Removals
    secret: str

    def erase_preview(self, preview_id: str) -> Sequence[str]:
        """Remove a preview at its parent's wish, with its photo if no other preview needs that;
        return the ids of its jobs. Files that can't be deleted now are deleted by the next sweep.

        Raises:
            Problem: ``preview_unknown``; ``preview_ordered`` while a paid order of it is open.
        """
        with writing(self.engine) as session:
            preview = session.get(Preview, preview_id, with_for_update=True)
            if preview is None or preview.erased_at is not None:
                raise Problem("preview_unknown")
            if _is_ordered(session, preview_id):
                raise Problem("preview_ordered")
            self.bury(session, preview)
            photo_id = self._let_photo_go(session, preview.photo_id)
            jobs = session.scalars(select(Job.job_id).where(Job.preview_id == preview_id)).all()
        self._remove_now([preview_id], [photo_id])
        return jobs

    def erase_customer(self, whose: Customer) -> Erased:
        """Remove all that a shop's customer left with us: previews, photos, pages, books,
        addresses.

        Open orders are cancelled, or, where the printer has them, held and stripped of the address.
        A preview that somebody else's open order needs stays until that is done. What is left of an
        order are amounts, dates and the payment provider's ids.
        """
        with writing(self.engine) as session:
            orders = orders_of(session, whose)
            previews = previews_of(session, whose, orders)
            _empty_inbox(session, whose, orders)
            for order in orders:
                self._strip(session, order)
            session.flush()
            buried = [p for p in previews if not _is_ordered(session, p.preview_id)]
            for preview in buried:
                self.bury(session, preview)
            photos = [self._let_photo_go(session, preview.photo_id) for preview in buried]
            self._write_down(session, whose, orders, len(buried))
        objects = self._remove_now([preview.preview_id for preview in buried], photos)
        return Erased(len(orders), len(buried), objects)

    def erase_shop(self, shop_id: str) -> None:
        """Erase all customers of a shop at Shopify, also those of whom nothing but an order is
        known."""
        for whose in customers_of(self.engine, shop_id):
            self.erase_customer(whose)

    def bury(self, session: Session, preview: Preview) -> None:
        """Make a tombstone of a preview, in the caller's transaction, and give up its jobs."""
        now = self.clock.now()
        preview.erased_at = now
        preview.expires_at = min(preview.expires_at, now)
        preview.child_name = preview.request_hash = ""
        preview.child_age = preview.child_gender = preview.appearance = None
        preview.session_id = preview.customer_id = preview.idempotency_key = None
        jobs = session.scalars(
            select(Job).where(Job.preview_id == preview.preview_id).with_for_update()
        ).all()
        stop_jobs(self.ledger, jobs, now)
        for job in jobs:
            job.request_hash = ""
            job.idempotency_key = None
        for order in session.scalars(select(Order).where(Order.preview_id == preview.preview_id)):
            order.files = order.dedication = None
        of_preview = Checkout.preview_id == preview.preview_id
        session.execute(update(Checkout).where(of_preview).values(dedication=None))

    def _strip(self, session: Session, order: Order) -> None:
        """End an order as far as that is possible, and take out of it whom it is for."""
        now = self.clock.now()
        if order.status not in OVER:
            if order_book.cancel(session, order, "erased", now, actor=order_book.SYSTEM):
                stop_jobs(self.ledger, jobs_of_order(session, order), now)
            else:
                order_book.hold(session, order, "erased", now, actor=order_book.SYSTEM)
        order.email = order.address = order.customer_id = order.files = order.dedication = None
        order.erased_at = now
        session.flush()
        _empty_records(session, order)

    def _let_photo_go(self, session: Session, photo_id: str) -> str | None:
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
        photo.expires_at = min(photo.expires_at, self.clock.now())
        return photo_id

    def _write_down(
        self, session: Session, whose: Customer, orders: Sequence[Order], previews: int
    ) -> None:
        names = whose.hashed(self.secret)
        subjects = [("customer", name) for name in names]
        # Who has no name is known by the order alone.
        for kind, subject in subjects or [("order", order.order_id) for order in orders]:
            session.add(
                Removal(
                    at=self.clock.now(),
                    kind=kind,
                    subject=subject,
                    reason=Reason.REQUESTED,
                    detail={"orders": len(orders), "previews": previews},
                )
            )

    def _remove_now(self, preview_ids: Iterable[str], photo_ids: Iterable[str | None]) -> int:
        deleted = 0
        try:
            for preview_id in preview_ids:
                deleted += self.removals.remove_buried(preview_id)
            for photo_id in sorted({photo_id for photo_id in photo_ids if photo_id is not None}):
                deleted += self.removals.remove_photo(photo_id, Reason.REQUESTED)
        except StoreError as error:
            facts = {"reason": type(error).__name__}
            logger.warning("files stay until the next sweep", extra=facts)
        return deleted


def is_open() -> ColumnElement[bool]:
    """The condition for orders that still need their photo and pages."""
    return and_(Order.status.not_in(OVER), Order.erased_at.is_(None))


def _is_ordered(session: Session, preview_id: str) -> bool:
    """Whether an open order needs the preview."""
    of_preview = select(Order.order_id).where(Order.preview_id == preview_id, is_open())
    return session.scalar(of_preview.limit(1)) is not None


def _empty_records(session: Session, order: Order) -> None:
    """Empty what else is written down of an order's people."""
    session.execute(
        update(Checkout).where(Checkout.session_id == order.source_id).values(dedication=None)
    )
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


def _empty_inbox(session: Session, whose: Customer, orders: Sequence[Order]) -> None:
    """Empty what webhooks said of the customer. One that is still to be done with keeps its body:
    it is emptied then."""
    told = {whose.email, whose.customer_id, *whose.shopify_orders}
    for order in orders:
        told |= {order.source_order, order.email}
    for text in sorted(word for word in told if word and len(word) >= _TELLING):
        session.execute(
            update(InboxItem)
            .where(InboxItem.due_at.is_(None), InboxItem.body.contains(text, autoescape=True))
            .values(body=None)
        )
