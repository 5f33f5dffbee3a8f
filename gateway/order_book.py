"""What may be done with orders, each in one transaction: the only place that writes them.

Functions take the caller's session, opened by ``gateway.records.writing``, and the order held by
:func:`lock_order`. Letters and webhooks that a change brings about are recorded in the same
transaction (``gateway.outbox`` sends them), and so is the history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from gateway import orders
from gateway.ids import id_of
from gateway.order_records import (
    Order,
    OrderEvent,
    OutboxItem,
    PaymentState,
    PrintJobRecord,
    Source,
)
from gateway.orders import IllegalTransition, OrderStatus, Stage
from gateway.records import Photo, Preview

SYSTEM: Final = "system"
"""The actor of what the gateway does by itself."""

# Which letters and webhooks a new state brings about. `order.` names are told to the shop.
_LETTERS: Final[Mapping[OrderStatus, str]] = {
    OrderStatus.PAID: "order_confirmed",
    OrderStatus.IN_PRODUCTION: "book_ready",
    OrderStatus.SHIPPED: "shipped",
    OrderStatus.CANCELLED: "order_cancelled",
}
_TOLD_TO_SHOPS: Final = frozenset(OrderStatus) - {
    OrderStatus.UPSCALING,
    OrderStatus.ASSEMBLING,
    OrderStatus.SUBMITTING,
}


@dataclass(frozen=True)
class Payment:
    """What a payment provider says was paid, in our words.

    ``amount`` is in the currency's minor unit. ``problem`` is why it can't be fulfilled as it is (a
    code such as ``wrong_amount``): money was taken, so it is an order, and the desk decides.
    """

    source: Source
    shop_id: str
    shop_domain: str
    source_id: str
    source_order: str
    payment_id: str | None
    preview_id: str | None
    quantity: int
    amount: int
    currency: str
    test: bool
    customer_id: str | None
    email: str | None
    address: Mapping[str, Any] | None
    paid_at: datetime
    problem: str | None = None
    dedication: str | None = None


@dataclass(frozen=True)
class Lives:
    """How long things are kept after payment."""

    download: timedelta
    photo: timedelta


def record_payment(session: Session, payment: Payment, lives: Lives, now: datetime) -> Order | None:
    """Make an order of a payment; None if there is one of it already.

    The preview and its photo live on for as long as the order needs them. A preview that isn't
    there, or is expired or erased, makes an order that needs attention.
    """
    problem = payment.problem
    preview = _living_preview(session, payment.preview_id, now)
    if problem is None and preview is None:
        problem = "preview_unknown" if payment.preview_id is None else "preview_gone"
    order = Order(
        # The same payment always makes the same order: if a database is restored from before it and
        # the payment is told again, the printer still knows the order by this id.
        order_id=id_of(payment.source, payment.shop_domain, payment.source_id),
        shop_id=payment.shop_id,
        source=payment.source,
        shop_domain=payment.shop_domain,
        source_id=payment.source_id,
        source_order=payment.source_order,
        payment_id=payment.payment_id,
        preview_id=preview.preview_id if preview else None,
        quantity=payment.quantity,
        amount=payment.amount,
        currency=payment.currency,
        test=payment.test,
        customer_id=payment.customer_id,
        email=payment.email,
        address=dict(payment.address) if payment.address else None,
        dedication=payment.dedication,
        status=OrderStatus.PAID,
        run_due_at=now,
        paid_at=payment.paid_at,
        updated_at=now,
        download_until=now + lives.download,
    )
    try:
        with session.begin_nested():
            session.add(order)
    except IntegrityError:
        return None
    if preview:
        _keep(session, preview, payment, lives, now)
    record(session, order, now, actor=payment.source, kind="paid", after=OrderStatus.PAID)
    _announce(session, order, OrderStatus.PAID, now)
    if problem:
        park(session, order, Stage.RESERVE, problem, now)
    return order


def lock_order(session: Session, order_id: str) -> Order | None:
    """The order, held against other writers until the transaction ends."""
    return session.get(Order, order_id, with_for_update=True, populate_existing=True)


def preview_of(session: Session, order: Order) -> Preview:
    """The preview that the order prints. Raises sqlalchemy's NoResultFound if it has none."""
    return session.get_one(Preview, order.preview_id)


def orders_of(session: Session, source: Source, source_order: str) -> list[Order]:
    """The orders that one order or session of the payment provider made, held."""
    return list(
        session.scalars(
            select(Order)
            .where(Order.source == source, Order.source_order == source_order)
            .order_by(Order.order_id)
            .with_for_update()
        )
    )


def move(
    session: Session,
    order: Order,
    after: OrderStatus,
    now: datetime,
    *,
    actor: str = SYSTEM,
    kind: str = "moved",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Bring an order into another state, with all that follows from it.

    Nothing happens if it is in that state.

    Raises:
        IllegalTransition: it can't get there from where it is.
    """
    before = order.status
    if before is after:
        return
    orders.check(before, after)
    order.status = after
    order.updated_at = now
    if after in (OrderStatus.SHIPPED, OrderStatus.DELIVERED) and order.shipped_at is None:
        order.shipped_at = now
    if not after.is_working:
        order.run_due_at = None
    record(session, order, now, actor=actor, kind=kind, before=before, after=after, detail=detail)
    _announce(session, order, after, now)


def record(
    session: Session,
    order: Order,
    now: datetime,
    *,
    actor: str,
    kind: str,
    before: OrderStatus | None = None,
    after: OrderStatus | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add to the order's history. ``detail`` has no personal data."""
    session.add(
        OrderEvent(
            order_id=order.order_id,
            at=now,
            actor=actor,
            kind=kind,
            before=before,
            after=after,
            detail=dict(detail) if detail else None,
        )
    )


def park(session: Session, order: Order, stage: Stage, reason: str, now: datetime) -> None:
    """Leave the order to the desk, which is told where and why it stopped.

    An order that was held or ended meanwhile stays as it is.
    """
    order.parked_stage = stage
    order.parked_reason = reason
    if OrderStatus.NEEDS_ATTENTION in orders.TRANSITIONS[order.status]:
        detail = {"stage": stage, "reason": reason}
        move(session, order, OrderStatus.NEEDS_ATTENTION, now, kind="parked", detail=detail)


def resume(session: Session, order: Order, now: datetime, *, actor: str, kind: str) -> None:
    """Let a stopped order go on, in a new run. It goes quickly over what is done.

    Raises:
        IllegalTransition: it isn't stopped, or it is held.
    """
    if order.status is OrderStatus.ON_HOLD and order.holds:
        raise IllegalTransition(order.status, OrderStatus.PAID)
    if order.status not in orders.STOPPED:
        raise IllegalTransition(order.status, OrderStatus.PAID)
    order.parked_stage = order.parked_reason = None
    order.run += 1
    before = order.status
    order.status = OrderStatus.PAID
    order.updated_at = order.run_due_at = now
    # Not `move`: the letter of the payment went out when it was paid.
    record(session, order, now, actor=actor, kind=kind, before=before, after=order.status)


def approve(session: Session, order: Order, now: datetime, *, actor: str) -> None:
    """The desk likes the book: it may be printed.

    Raises:
        IllegalTransition: it doesn't wait for approval.
    """
    if order.status is not OrderStatus.AWAITING_APPROVAL:
        raise IllegalTransition(order.status, OrderStatus.PAID)
    order.approved_at = now
    resume(session, order, now, actor=actor, kind="approved")


def hold(session: Session, order: Order, reason: str, now: datetime, *, actor: str) -> bool:
    """Keep the order from being printed; whether that was still possible.

    While it is given to the printer, and afterwards, it is only noted: the desk sees it.
    """
    _add_hold(order, reason)
    possible = OrderStatus.ON_HOLD in orders.TRANSITIONS[order.status] and not _at_printer(
        session, order
    )
    if possible:
        detail = {"reason": reason}
        move(session, order, OrderStatus.ON_HOLD, now, actor=actor, kind="held", detail=detail)
    elif order.status is not OrderStatus.ON_HOLD:
        record(session, order, now, actor=actor, kind="hold_too_late", detail={"reason": reason})
    return possible


def release(
    session: Session, order: Order, now: datetime, *, actor: str, reason: str | None = None
) -> None:
    """Take one hold away, or all of them without a ``reason``.

    An order that nothing holds any more goes on, unless it was parked before: then it waits for
    the desk again.
    """
    order.holds = [held for held in order.holds if reason is not None and held != reason]
    if order.holds or order.status is not OrderStatus.ON_HOLD:
        record(session, order, now, actor=actor, kind="released")
    elif order.parked_reason is not None:
        move(session, order, OrderStatus.NEEDS_ATTENTION, now, actor=actor, kind="released")
    else:
        resume(session, order, now, actor=actor, kind="released")


def _add_hold(order: Order, reason: str) -> None:
    if reason not in order.holds:
        order.holds = [*order.holds, reason]  # a new list: changes inside of one aren't seen


def cancel(session: Session, order: Order, reason: str, now: datetime, *, actor: str) -> bool:
    """Stop the order for good; whether that was still possible.

    The printer may have it already: then it is only noted, and the desk sees it.
    """
    if order.status is OrderStatus.CANCELLED:
        return True
    detail = {"reason": reason}
    if not order.status.may_be_cancelled or _at_printer(session, order):
        record(session, order, now, actor=actor, kind="cancel_too_late", detail=detail)
        return False
    move(session, order, OrderStatus.CANCELLED, now, actor=actor, kind="cancelled", detail=detail)
    return True


def refunded(session: Session, order: Order, *, fully: bool, now: datetime, actor: str) -> None:
    """Money went back: all of it cancels the order, a part of it holds it for the desk."""
    order.payment = PaymentState.REFUNDED if fully else PaymentState.PARTIALLY_REFUNDED
    record(session, order, now, actor=actor, kind="refunded", detail={"fully": fully})
    if not fully:
        hold(session, order, "partially_refunded", now, actor=actor)
    elif not cancel(session, order, "refunded", now, actor=actor):
        _add_hold(order, "refunded")


def disputed(session: Session, order: Order, now: datetime, *, actor: str) -> None:
    """The customer's bank disputes the payment: nothing is printed until that is settled."""
    order.payment = PaymentState.DISPUTED
    hold(session, order, "disputed", now, actor=actor)


def dispute_settled(
    session: Session, order: Order, *, won: bool, now: datetime, actor: str
) -> None:
    """A dispute ended: we keep the money, or we don't."""
    record(session, order, now, actor=actor, kind="dispute_settled", detail={"won": won})
    if won:
        order.payment = PaymentState.PAID
        release(session, order, now, actor=actor, reason="disputed")
    else:
        order.payment = PaymentState.REFUNDED
        cancel(session, order, "dispute_lost", now, actor=actor)


def _announce(session: Session, order: Order, status: OrderStatus, now: datetime) -> None:
    letter = _LETTERS.get(status)
    if letter and order.email:
        send(session, order, "mail", letter, now)
    if status in _TOLD_TO_SHOPS:
        payload = {"status": status, "at": now.isoformat()}
        # An order may be parked twice: each is told. A letter goes out once.
        send(session, order, "webhook", f"order.{status}", now, payload=payload, again=order.run)


def send(
    session: Session,
    order: Order,
    kind: str,
    event: str,
    now: datetime,
    *,
    payload: Mapping[str, Any] | None = None,
    again: int = 1,
) -> None:
    """Record that a letter or a webhook is to leave. The same one leaves once, whoever asks;
    ``again`` (from 1) makes it another one."""
    suffix = "" if again == 1 else f".{again}"
    message_id = f"{order.order_id}.{kind}.{event}{suffix}"
    if kind == "mail" and again > 1:
        payload = {**(payload or {}), "sending": again}
    if session.get(OutboxItem, message_id) is None:
        session.add(
            OutboxItem(
                message_id=message_id,
                order_id=order.order_id,
                kind=kind,
                event=event,
                payload=dict(payload) if payload else None,
                created_at=now,
                due_at=now,
            )
        )


def _living_preview(session: Session, preview_id: str | None, now: datetime) -> Preview | None:
    if preview_id is None:
        return None
    preview = session.get(Preview, preview_id, with_for_update=True)
    if preview is None or preview.erased_at is not None or preview.expires_at <= now:
        return None
    return preview


def _keep(
    session: Session, preview: Preview, payment: Payment, lives: Lives, now: datetime
) -> None:
    preview.paid_at = preview.paid_at or now
    preview.customer_id = preview.customer_id or payment.customer_id
    preview.expires_at = max(preview.expires_at, now + lives.download)
    photo = session.get(Photo, preview.photo_id, with_for_update=True)
    if photo is not None:
        photo.expires_at = max(photo.expires_at, now + lives.photo)


def _at_printer(session: Session, order: Order) -> bool:
    """Whether the printer has an edition of the order, or may have it."""
    jobs: Iterable[PrintJobRecord] = session.scalars(
        select(PrintJobRecord).where(PrintJobRecord.order_id == order.order_id)
    )
    return any(job.status not in ("rejected", "cancelled") for job in jobs)
