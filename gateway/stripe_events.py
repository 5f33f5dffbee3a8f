"""What Stripe's events do to orders.

Events come late, twice, and in any order. So nothing here depends on which came before: a session
that is paid makes one order, whoever tells of it first; of refunds and disputes the facts are kept
in the order's history, and what is done is what follows from all of them. A refund or a dispute
that comes before its payment waits in the inbox, and is handled as soon as the order is there.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import order_book
from gateway.addresses import email_of, from_stripe
from gateway.inbox import STRIPE, Message, NotYet, Unusable, wake
from gateway.order_book import Lives, Payment
from gateway.order_records import Checkout, Order, OrderEvent, PaymentState, Source
from gateway.ports import Clock
from gateway.records import Preview, writing
from gateway.shops import DEFAULT_SHOP

logger = logging.getLogger(__name__)

PAID_EVENTS: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
)
EVENT_TYPES: Final = (
    *PAID_EVENTS,
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""The events that a webhook endpoint at Stripe is to be registered for."""

# What became of a dispute. One that was `prevented` was ended by giving the money back.
_KEPT: Final = frozenset({"won", "warning_closed"})
_LOST: Final = frozenset({"lost", "prevented"})

# The kinds of facts in an order's history.
_REFUND: Final = "stripe_refund"
_CHARGE: Final = "stripe_charge"
_DISPUTE: Final = "stripe_dispute"

StripeId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]


class _Told(BaseModel):
    """A part of what Stripe tells; the rest is ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class EventData(_Told):
    """What an event is about, as it was then."""

    object: dict[str, Any]


class Event(_Told):
    """An event. ``created`` is in seconds since the epoch."""

    id: StripeId
    type: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    livemode: bool
    created: int
    data: EventData

    @property
    def payment_id(self) -> str | None:
        """The payment that the event is about."""
        value = self.data.object.get("payment_intent")
        return value if isinstance(value, str) and 0 < len(value) <= 255 else None


class _Customer(_Told):
    email: str | None = None
    phone: str | None = None


class _Collected(_Told):
    shipping_details: dict[str, Any] | None = None


class _Totals(_Told):
    amount_discount: int = 0


class PaidSession(_Told):
    """A Checkout Session. Amounts are in the currency's minor unit."""

    id: StripeId
    livemode: bool
    status: str | None = None
    payment_status: str
    amount_total: int | None = None
    currency: str | None = None
    payment_intent: StripeId | None = None
    customer: StripeId | None = None
    metadata: dict[str, str] | None = None
    customer_details: _Customer | None = None
    collected_information: _Collected | None = None
    # Where it stood in API versions before 2025-03-31.
    shipping_details: dict[str, Any] | None = None
    total_details: _Totals | None = None

    @property
    def is_paid(self) -> bool:
        """Whether the book may be made. A coupon may have paid for all of it: then a session that
        is still open needs no payment, either."""
        return self.status not in ("open", "expired") and self.payment_status != "unpaid"


class _Charge(_Told):
    amount_refunded: int


class _Refund(_Told):
    id: StripeId
    amount: int


class _Dispute(_Told):
    id: StripeId
    status: str


@dataclass(frozen=True)
class StripeEvents:
    """Handles Stripe's events. Methods block, and are safe to repeat.

    With ``take_test_payments`` those that were made with Stripe's test cards count.
    """

    engine: Engine
    clock: Clock
    lives: Lives
    take_test_payments: bool

    def handle(self, message: Message) -> str:
        """Do what an event asks for: the inbox's handler."""
        try:
            event = Event.model_validate_json(message.body)
            return self._handle(event)
        except ValidationError:
            raise Unusable("form") from None

    def fulfil(self, session: PaidSession, paid_at: datetime) -> str:
        """Make the order of a paid session, whether the webhook or the parent's return tells of it
        first. Called again, it changes nothing."""
        if not session.livemode and not self.take_test_payments:
            return "test_mode"
        if not session.is_paid:
            return "not_paid"
        now = self.clock.now()
        with writing(self.engine) as sql:
            payment = _payment(sql, session, paid_at)
            if payment is None:
                return "not_ours"
            order = order_book.record_payment(sql, payment, self.lives, now)
            if order is None:
                return "known"
            if payment.payment_id:
                wake(sql, now, source=STRIPE, second_id=payment.payment_id)
        logger.info("order paid", extra={"order_id": order.order_id, "source": Source.STRIPE.value})
        return "order"

    def _handle(self, event: Event) -> str:
        if not event.livemode and not self.take_test_payments:
            return "test_mode"
        told = event.data.object
        if event.type in PAID_EVENTS:
            paid_at = datetime.fromtimestamp(event.created, UTC)
            return self.fulfil(PaidSession.model_validate(told), paid_at)
        if event.type not in EVENT_TYPES or told.get("object") == "checkout.session":
            return "noted"
        kind, fact = _fact(event.type, told)
        if event.payment_id is None:
            return "not_ours"
        with writing(self.engine) as sql:
            orders = sql.scalars(
                select(Order)
                .where(Order.source == Source.STRIPE, Order.payment_id == event.payment_id)
                .with_for_update()
            ).all()
            for order in orders:
                self._learn(sql, order, kind, fact)
        if not orders:
            raise NotYet("no_order")
        return "applied"

    def _learn(self, sql: Session, order: Order, kind: str, fact: Mapping[str, Any]) -> None:
        """Keep a fact about an order's money, and do what follows."""
        now = self.clock.now()
        before = _Money.of(sql, order)
        if fact not in before.facts(kind):
            order_book.record(sql, order, now, actor=Source.STRIPE, kind=kind, detail=fact)
            sql.flush()
        after = _Money.of(sql, order)
        wanted = after.state(order.amount)
        more_went_back = after.refunded > before.refunded
        if wanted is PaymentState.REFUNDED:
            if order.payment is not wanted:
                _cancel(sql, order, now, lost=after.lost)
        elif wanted is PaymentState.DISPUTED:
            if order.payment is not wanted:
                order_book.disputed(sql, order, now, actor=Source.STRIPE)
        else:
            if order.payment is PaymentState.DISPUTED:
                _settle(sql, order, now)
            if after.refunded and (order.payment is not wanted or more_went_back):
                order_book.refunded(sql, order, fully=False, now=now, actor=Source.STRIPE)


def message_of(event: Event, body: str) -> Message:
    """An event as the inbox keeps it: found by its payment, too."""
    return Message(
        source=STRIPE,
        message_id=event.id,
        topic=event.type,
        body=body,
        second_id=event.payment_id,
    )


@dataclass(frozen=True)
class _Money:
    """All that is known of what went back of one payment.

    ``charged`` is what its charge says of refunds, ``refunds`` the amount of each refund,
    ``disputes`` the states that each dispute was heard to be in.
    """

    told: tuple[tuple[str, Mapping[str, Any]], ...]

    @classmethod
    def of(cls, sql: Session, order: Order) -> "_Money":
        events = sql.scalars(
            select(OrderEvent)
            .where(OrderEvent.order_id == order.order_id)
            .where(OrderEvent.kind.in_((_REFUND, _CHARGE, _DISPUTE)))
        )
        return cls(tuple((event.kind, event.detail or {}) for event in events))

    def facts(self, kind: str) -> list[Mapping[str, Any]]:
        return [fact for told, fact in self.told if told == kind]

    @property
    def refunded(self) -> int:
        """How much went back, in the minor unit. Refunds are told twice: one by one, and as the
        charge's sum."""
        one_by_one = {fact["refund"]: int(fact["amount"]) for fact in self.facts(_REFUND)}
        sums = [int(fact["refunded"]) for fact in self.facts(_CHARGE)]
        return max(sum(one_by_one.values()), *sums, 0)

    @property
    def lost(self) -> bool:
        """Whether a dispute took the money."""
        return any(fact["status"] in _LOST for fact in self.facts(_DISPUTE))

    @property
    def disputed(self) -> bool:
        """Whether a dispute is open: none of what was heard of it says that it ended."""
        heard: dict[str, bool] = {}
        for fact in self.facts(_DISPUTE):
            ended = fact["status"] in _KEPT | _LOST
            heard[fact["dispute"]] = heard.get(fact["dispute"], False) or ended
        return not all(heard.values())

    def state(self, amount: int) -> PaymentState:
        """What follows for an order of ``amount``."""
        if self.lost or (self.refunded and self.refunded >= amount):
            return PaymentState.REFUNDED
        if self.disputed:
            return PaymentState.DISPUTED
        return PaymentState.PARTIALLY_REFUNDED if self.refunded else PaymentState.PAID


def _payment(sql: Session, session: PaidSession, paid_at: datetime) -> Payment | None:
    """The payment of a session; None if it isn't about a book."""
    checkout = sql.get(Checkout, session.id)
    claimed = (session.metadata or {}).get("preview_id")
    if checkout is None and claimed is None:
        return None
    known = sql.get(Preview, checkout.preview_id if checkout else claimed)
    preview_id = known.preview_id if known else None
    customer = session.customer_details or _Customer()
    collected = session.collected_information or _Collected()
    details = collected.shipping_details or session.shipping_details
    ship_to = from_stripe(details, customer.phone)
    return Payment(
        source=Source.STRIPE,
        shop_id=known.shop_id if known else DEFAULT_SHOP,
        shop_domain="",
        source_id=session.id,
        source_order=session.id,
        payment_id=session.payment_intent,
        preview_id=preview_id,
        quantity=checkout.quantity if checkout else 1,
        amount=session.amount_total or 0,
        currency=(session.currency or "")[:3].upper(),
        test=not session.livemode,
        customer_id=session.customer,
        email=email_of(customer.email),
        address=vars(ship_to.address) if ship_to.address else None,
        paid_at=paid_at,
        problem=_problem(session, checkout) or ship_to.problem,
        dedication=checkout.dedication if checkout else None,
    )


def _problem(session: PaidSession, checkout: Checkout | None) -> str | None:
    """Why what was paid isn't what was to be paid."""
    if checkout is None:
        return "unknown_checkout"
    if (session.metadata or {}).get("preview_id") != checkout.preview_id:
        return "wrong_preview"
    if (session.currency or "").upper() != checkout.currency.upper():
        return "wrong_currency"
    discount = session.total_details.amount_discount if session.total_details else 0
    if (session.amount_total or 0) + discount != checkout.amount:
        return "wrong_amount"
    return None


def _fact(event_type: str, told: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """What an event tells of a payment, in the form in which it is kept."""
    if event_type == "charge.refunded":
        return _CHARGE, {"refunded": _Charge.model_validate(told).amount_refunded}
    if event_type.startswith("refund."):
        # One that failed counts, too: money was to go back, and the desk has to look.
        refund = _Refund.model_validate(told)
        return _REFUND, {"refund": refund.id, "amount": refund.amount}
    dispute = _Dispute.model_validate(told)
    return _DISPUTE, {"dispute": dispute.id, "status": dispute.status}


def _cancel(sql: Session, order: Order, now: datetime, *, lost: bool) -> None:
    if lost:
        order_book.dispute_settled(sql, order, won=False, now=now, actor=Source.STRIPE)
    else:
        order_book.refunded(sql, order, fully=True, now=now, actor=Source.STRIPE)


def _settle(sql: Session, order: Order, now: datetime) -> None:
    """The money stays: the order goes on, and one that waited for the desk does so again."""
    order_book.dispute_settled(sql, order, won=True, now=now, actor=Source.STRIPE)
