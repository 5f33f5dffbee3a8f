"""Buying a book: the page where it is paid, and whether it was.

The order is made by ``gateway.stripe_events``, by whatever tells of the payment first: Stripe's
event, or the parent who comes back from Stripe's page and asks here.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeVar

from pydantic import ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from books.model import Book
from contract.status import PageStatus
from gateway.catalogue import Catalogue
from gateway.errors import Problem
from gateway.ids import new_id
from gateway.inbox import Inbox, Message
from gateway.order_records import Checkout, Order, Source
from gateway.ports import Clock, Payments, PaymentsError, Sale
from gateway.records import AS_PAINTED, Page, Preview, reading, writing
from gateway.stripe_events import Event, PaidSession, StripeEvents, message_of

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

_OPEN_AT_MOST: Final = timedelta(hours=24)
_OPEN_AT_LEAST: Final = timedelta(minutes=31)
"""Stripe takes nothing below thirty minutes, by its own clock."""

_MISSED_SINCE: Final = timedelta(days=29)
"""Stripe keeps events for thirty days."""

_BATCH: Final = 50


class CheckoutState(StrEnum):
    """What became of a checkout."""

    OPEN = "open"
    PROCESSING = "processing"
    PAID = "paid"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Bought:
    """A checkout's state, and the order that it made once it is paid."""

    state: CheckoutState
    order_id: str | None = None


@dataclass(frozen=True)
class Till:
    """Takes payments through ``payments``; without it, nothing can be bought. Methods block.

    ``check_printable`` raises Problem if a book can't be printed for a child of that name, or with
    that dedication.
    """

    engine: Engine
    clock: Clock
    books: Catalogue
    events: StripeEvents
    check_printable: Callable[[Book, str, str | None], None]
    payments: Payments | None

    def open(
        self,
        preview_id: str,
        quantity: int,
        email: str | None,
        dedication: str | None,
        idempotency_key: str | None,
    ) -> Checkout:
        """Open a page where ``quantity`` books of a preview can be paid.

        The same ``idempotency_key`` gets the same page.

        Raises:
            Problem: ``preview_unknown``; ``preview_not_ready`` while pictures are missing;
                ``book_unprintable`` before anybody pays for words that no font has;
                ``idempotency_key_reused`` for another quantity or dedication;
                ``checkout_unavailable``.
        """
        with reading(self.engine) as session:
            preview = self._living(session, preview_id)
            known = _opened_before(session, preview_id, idempotency_key)
            if known is None:
                self._check_ready(session, preview)
        if known is not None:
            return _same(known, quantity, dedication)
        book = self.books.book(preview.book_id)
        self.check_printable(book, preview.child_name, dedication)
        price = book.price
        checkout = Checkout(
            preview_id=preview_id,
            quantity=quantity,
            amount=price.amount * quantity,
            currency=price.currency,
            dedication=dedication,
            idempotency_key=idempotency_key,
            created_at=self.clock.now(),
        )
        sale = self._sale(preview, checkout, price.amount, email)
        checkout.session_id, checkout.url = self._ask(lambda stripe: stripe.create_session(sale))
        return self._keep(checkout)

    def state(self, session_id: str, preview_id: str | None) -> Bought:
        """What became of a checkout of a preview. Stripe is asked if nothing was heard of it.

        Raises:
            Problem: ``checkout_unknown``; ``checkout_unavailable`` if Stripe can't be asked.
        """
        with reading(self.engine) as session:
            checkout = session.get(Checkout, session_id)
            if checkout is None or checkout.preview_id != preview_id:
                raise Problem("checkout_unknown")
        order_id = self._order_id(session_id)
        if order_id is not None:
            return Bought(CheckoutState.PAID, order_id)
        document = self._ask(lambda stripe: stripe.session(session_id))
        if document is None:
            return Bought(CheckoutState.EXPIRED)
        try:
            found = PaidSession.model_validate(document)
        except ValidationError:
            raise Problem("checkout_unavailable") from None
        self.events.fulfil(found, self.clock.now())
        order_id = self._order_id(session_id)
        if order_id is not None:
            return Bought(CheckoutState.PAID, order_id)
        states = {"open": CheckoutState.OPEN, "expired": CheckoutState.EXPIRED}
        return Bought(states.get(found.status or "", CheckoutState.PROCESSING))

    def pick_up_missed(self, inbox: Inbox) -> int:
        """Record the events that Stripe couldn't deliver; return how many were new.

        Raises:
            PaymentsError: Stripe can't be asked. What was recorded until then stays.
        """
        if self.payments is None:
            return 0
        new = 0
        batch: list[Message] = []
        for document in self.payments.missed_events(self.clock.now() - _MISSED_SINCE):
            try:
                event = Event.model_validate(document)
            except ValidationError:
                continue
            batch.append(message_of(event, json.dumps(document, ensure_ascii=False)))
            if len(batch) == _BATCH:
                new += sum(inbox.record(batch))
                batch.clear()
        return new + sum(inbox.record(batch))

    def _living(self, session: Session, preview_id: str) -> Preview:
        preview = session.get(Preview, preview_id)
        gone = preview is None or preview.erased_at is not None
        if preview is None or gone or preview.expires_at <= self.clock.now():
            raise Problem("preview_unknown")
        return preview

    def _check_ready(self, session: Session, preview: Preview) -> None:
        painted = set(
            session.scalars(
                select(Page.page_number).where(
                    Page.preview_id == preview.preview_id,
                    Page.variant == AS_PAINTED,
                    Page.status == PageStatus.COMPLETED,
                )
            )
        )
        if not painted.issuperset(self.books.book(preview.book_id).preview_pages):
            raise Problem("preview_not_ready", headers={"Retry-After": "5"})

    def _sale(
        self, preview: Preview, checkout: Checkout, unit_amount: int, email: str | None
    ) -> Sale:
        book = self.books.book(preview.book_id)
        closes_at = self._closes_at(preview)
        # Of all that Stripe is told, since it refuses one key for two different requests.
        parts = (
            checkout.idempotency_key or new_id(),
            preview.preview_id,
            book.title,
            checkout.quantity,
            unit_amount,
            checkout.currency,
            email,
            closes_at and int(closes_at.timestamp()),
        )
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return Sale(
            preview_id=preview.preview_id,
            title=book.title,
            quantity=checkout.quantity,
            unit_amount=unit_amount,
            currency=checkout.currency,
            email=email,
            closes_at=closes_at,
            idempotency_key=f"checkout-{digest}",
        )

    def _closes_at(self, preview: Preview) -> datetime | None:
        """So that a preview that is about to expire isn't paid afterwards."""
        now = self.clock.now()
        if preview.expires_at >= now + _OPEN_AT_MOST:
            return None
        return max(preview.expires_at, now + _OPEN_AT_LEAST)

    def _keep(self, checkout: Checkout) -> Checkout:
        try:
            with writing(self.engine) as session:
                session.add(checkout)
        except IntegrityError:  # the same request at the same time
            with reading(self.engine) as session:
                known = _opened_before(session, checkout.preview_id, checkout.idempotency_key)
                known = known or session.get(Checkout, checkout.session_id)
            if known is None:
                raise Problem("preview_unknown") from None
            return _same(known, checkout.quantity, checkout.dedication)
        return checkout

    def _ask(self, question: Callable[[Payments], _Answer]) -> _Answer:
        if self.payments is None:
            raise Problem("checkout_unavailable")
        try:
            return question(self.payments)
        except PaymentsError as error:
            logger.warning("payments unavailable", extra={"reason": str(error)})
            raise Problem("checkout_unavailable", headers={"Retry-After": "5"}) from None

    def _order_id(self, session_id: str) -> str | None:
        with reading(self.engine) as session:
            return session.scalar(
                select(Order.order_id).where(
                    Order.source == Source.STRIPE, Order.source_id == session_id
                )
            )


def _opened_before(session: Session, preview_id: str, key: str | None) -> Checkout | None:
    if key is None:
        return None
    return session.scalar(
        select(Checkout).where(Checkout.preview_id == preview_id, Checkout.idempotency_key == key)
    )


def _same(known: Checkout, quantity: int, dedication: str | None) -> Checkout:
    if (known.quantity, known.dedication) != (quantity, dedication):
        raise Problem("idempotency_key_reused")
    return known
