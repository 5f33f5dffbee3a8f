"""What people at the order desk do with orders. Each action and who did it is written down in the
transaction that does it. Functions block and raise Problem: ``order_unknown``, ``order_state`` if
the order can't take the action where it is, and ``order_erased`` once whom it is for was erased:
such an order can only be cancelled.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from contract.keys import page_key
from contract.status import PageStatus
from gateway import order_book, order_jobs
from gateway.desk_schema import (
    AddressCorrection,
    Choose,
    DedicationChange,
    OrderRow,
    RefundNote,
    Regenerate,
    Resend,
    Why,
)
from gateway.desk_views import order_row
from gateway.errors import Problem
from gateway.jobs import seed_for
from gateway.looks import Rendering
from gateway.order_jobs import Shards, Wanted
from gateway.order_records import AuditEntry, Order, OrderPage, OutboxItem, PrintJobRecord
from gateway.orders import STOPPED, WORKING, IllegalTransition, OrderStatus
from gateway.print_desk import external_id
from gateway.records import AS_PAINTED, Job, Page, Photo, Preview, writing
from gateway.services import Services
from gateway.stop_jobs import jobs_of_order, stop_jobs

Detail = Mapping[str, Any]
Change = Callable[[Session, Order, datetime], Detail | None]

_ONE_PAGE = Shards(pages=1, at_once=1)
_NOT_PRINTED = ("rejected", "cancelled")


def approve(services: Services, username: str, order_id: str) -> OrderRow:
    """Let an order that waits for it be printed."""

    def change(session: Session, order: Order, now: datetime) -> None:
        order_book.approve(session, order, now, actor=username)

    return _act(services, username, order_id, "approved", change)


def retry(services: Services, username: str, order_id: str) -> OrderRow:
    """Let a parked order go on from where it stopped."""

    def change(session: Session, order: Order, now: datetime) -> None:
        if order.status is not OrderStatus.NEEDS_ATTENTION:
            raise IllegalTransition(order.status, OrderStatus.PAID)
        order_book.resume(session, order, now, actor=username, kind="retried")

    return _act(services, username, order_id, "retried", change)


def hold(services: Services, username: str, order_id: str, why: Why) -> OrderRow:
    """Keep an order from being printed. Too late, it is noted all the same."""

    def change(session: Session, order: Order, now: datetime) -> Detail:
        if order.status is OrderStatus.ON_HOLD:  # for a reason, which must not get lost
            raise IllegalTransition(order.status, OrderStatus.ON_HOLD)
        possible = order_book.hold(session, order, why.reason, now, actor=username)
        return {"reason": why.reason, "in_time": possible}

    row = _act(services, username, order_id, "held", change)
    if row.status is not OrderStatus.ON_HOLD:
        raise Problem("order_state", "It is too late to hold the order; that is noted.")
    return row


def release(services: Services, username: str, order_id: str) -> OrderRow:
    """Take a hold away."""

    def change(session: Session, order: Order, now: datetime) -> None:
        if order.hold_reason is None and order.status is not OrderStatus.ON_HOLD:
            raise IllegalTransition(order.status, OrderStatus.PAID)
        order_book.release(session, order, now, actor=username)

    return _act(services, username, order_id, "released", change)


def cancel(services: Services, username: str, order_id: str, why: Why) -> OrderRow:
    """Stop an order for good, and its render jobs with it. Too late, it is noted all the same."""

    def change(session: Session, order: Order, now: datetime) -> Detail:
        stopped = 0
        if order_book.cancel(session, order, why.reason, now, actor=username):
            stopped = stop_jobs(services.dispatcher.ledger, jobs_of_order(session, order), now)
        return {"reason": why.reason, "jobs": stopped}

    row = _act(services, username, order_id, "cancelled", change, erased_too=True)
    if row.status is not OrderStatus.CANCELLED:
        raise Problem("order_state", "The printer may have the order; the wish is noted.")
    return row


def resend(services: Services, username: str, order_id: str, wanted: Resend) -> OrderRow:
    """Send a letter once more that was sent before."""

    def change(session: Session, order: Order, now: datetime) -> Detail:
        sent = _times_sent(session, order, wanted.letter)
        if not sent or order.email is None:
            raise Problem("order_state", "This letter was never sent, or there is no address.")
        order_book.send(
            session,
            order,
            "mail",
            wanted.letter,
            now,
            payload={"sending": sent + 1},
            again=sent + 1,
        )
        return {"letter": wanted.letter, "sending": sent + 1}

    return _act(services, username, order_id, "letter_resent", change)


def note_refund(services: Services, username: str, order_id: str, note: RefundNote) -> OrderRow:
    """Write into the history that money was given back elsewhere."""

    def change(session: Session, order: Order, now: datetime) -> Detail:
        detail = note.model_dump(exclude_none=True)
        order_book.record(session, order, now, actor=username, kind="refund_note", detail=detail)
        return {"amount": note.amount}

    return _act(services, username, order_id, "refund_noted", change)


def correct_address(
    services: Services, username: str, order_id: str, address: AddressCorrection
) -> OrderRow:
    """Put another shipping address in place, until the printer has it."""

    def change(session: Session, order: Order, now: datetime) -> None:
        if order.status not in WORKING | STOPPED:
            raise Problem("order_state", "The order is over, or with the printer.")
        _check_not_at_printer(session, order)
        order.address = address.model_dump()
        order.updated_at = now
        order_book.record(session, order, now, actor=username, kind="address_corrected")

    return _act(services, username, order_id, "address_corrected", change)


def change_dedication(
    services: Services, username: str, order_id: str, wanted: DedicationChange
) -> OrderRow:
    """Put another dedication into a stopped order's book, or none. It is printed when the order
    goes on.

    Raises:
        Problem: also ``book_unprintable`` if it can't be printed.
    """

    def change(session: Session, order: Order, now: datetime) -> None:
        if order.status not in STOPPED:
            raise IllegalTransition(order.status, OrderStatus.PAID)
        _check_not_at_printer(session, order)
        if order.preview_id is None:
            raise Problem("order_state", "The order has no preview.")
        preview = order_book.preview_of(session, order)
        book = services.books.book(preview.book_id)
        services.orders.check_printable(book, preview.child_name, wanted.dedication)
        order.dedication = wanted.dedication
        order.updated_at = now
        order_book.record(session, order, now, actor=username, kind="dedication_changed")

    return _act(services, username, order_id, "dedication_changed", change)


def regenerate(
    services: Services, username: str, order_id: str, page_number: int, wanted: Regenerate
) -> OrderRow:
    """Have a page of a stopped order painted anew. The older takes stay; the order goes on with
    the new one, and needs approval again.

    Raises:
        Problem: also ``page_unknown``, and ``photo_unknown`` once the photo was removed.
    """

    def change(session: Session, order: Order, now: datetime) -> Detail:
        chosen = _open_page(session, order, page_number)
        preview = _preview_with_photo(services, session, order)
        take = _next_take(session, preview.preview_id, page_number)
        seed = wanted.seed
        if seed is None:
            seed = seed_for(preview.preview_id, page_number, take)
        key = page_key(preview.preview_id, page_number, take)
        order_jobs.plan(
            session,
            order_id=order.order_id,
            preview_id=preview.preview_id,
            wanted=[Wanted(page_number, take, AS_PAINTED, key, seed)],
            rendering=_rendering(order),
            shards=_ONE_PAGE,
            now=now,
        )
        chosen.take = take
        detail = {"page": page_number, "take": take, "seed": seed}
        _go_on(session, order, now, username, "page_regenerated", detail)
        return detail

    return _act(services, username, order_id, "page_regenerated", change)


def choose(
    services: Services, username: str, order_id: str, page_number: int, wanted: Choose
) -> OrderRow:
    """Put another take of a page into the book of a stopped order, which goes on with it, and
    needs approval again.

    Raises:
        Problem: also ``page_unknown`` if there is no such take, or it isn't painted as the rest
            of the book is.
    """

    def change(session: Session, order: Order, now: datetime) -> Detail:
        chosen = _open_page(session, order, page_number)
        _check_take(session, order, page_number, wanted.take)
        chosen.take = wanted.take
        detail = {"page": page_number, "take": wanted.take}
        _go_on(session, order, now, username, "page_chosen", detail)
        return detail

    return _act(services, username, order_id, "page_chosen", change)


def _act(
    services: Services,
    username: str,
    order_id: str,
    action: str,
    change: Change,
    *,
    erased_too: bool = False,
) -> OrderRow:
    now = services.clock.now()
    try:
        with writing(services.engine) as session:
            order = order_book.lock_order(session, order_id)
            if order is None:
                raise Problem("order_unknown")
            if order.erased_at is not None and not erased_too:
                raise Problem("order_erased")
            detail = change(session, order, now)
            session.add(
                AuditEntry(
                    at=now,
                    username=username,
                    action=action,
                    order_id=order_id,
                    detail=dict(detail) if detail else None,
                )
            )
            return order_row(order)
    except IllegalTransition as error:
        raise Problem("order_state", f"The order is {error.before}.") from None


def _open_page(session: Session, order: Order, page_number: int) -> OrderPage:
    """The page in the book of an order that is stopped and can still be changed."""
    if order.status not in STOPPED:
        raise IllegalTransition(order.status, OrderStatus.PAID)
    _check_not_at_printer(session, order)
    page = session.get(OrderPage, (order.order_id, page_number))
    if page is None:
        raise Problem("page_unknown")
    return page


def _check_not_at_printer(session: Session, order: Order) -> None:
    """An edition that the printer has, or may have, is printed as it is."""
    job = session.get(PrintJobRecord, external_id(order))
    if job is not None and job.status not in _NOT_PRINTED:
        raise Problem("order_state", "The printer has the order, or may have it.")


def _preview_with_photo(services: Services, session: Session, order: Order) -> Preview:
    preview = order_book.preview_of(session, order)
    photo = session.get_one(Photo, preview.photo_id)
    if photo.removed_at is not None or photo.expires_at <= services.clock.now():
        raise Problem("photo_unknown")
    return preview


def _check_take(session: Session, order: Order, page_number: int, take: int) -> None:
    page = session.get(Page, (order.preview_id, page_number, take, AS_PAINTED))
    if page is None or page.status is not PageStatus.COMPLETED:
        raise Problem("page_unknown")
    made_by = session.get_one(Job, page.job_id)
    if Rendering.model_validate(made_by.rendering).look is not _rendering(order).look:
        raise Problem("page_unknown", "This take has another look than the book.")


def _rendering(order: Order) -> Rendering:
    if order.rendering is None:
        raise Problem("order_state", "It isn't decided yet how the book is painted.")
    return Rendering.model_validate(order.rendering)


def _next_take(session: Session, preview_id: str, page_number: int) -> int:
    latest = session.scalar(
        select(func.max(Page.take)).where(
            Page.preview_id == preview_id, Page.page_number == page_number
        )
    )
    return (latest or 0) + 1


def _go_on(
    session: Session, order: Order, now: datetime, username: str, kind: str, detail: Detail
) -> None:
    order.approved_at = None
    order_book.record(session, order, now, actor=username, kind=kind, detail=detail)
    order_book.resume(session, order, now, actor=username, kind="resumed")


def _times_sent(session: Session, order: Order, letter: str) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(OutboxItem)
            .where(
                OutboxItem.order_id == order.order_id,
                OutboxItem.kind == "mail",
                OutboxItem.event == letter,
            )
        )
        or 0
    )
