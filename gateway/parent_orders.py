"""What a parent sees of what was ordered: how it is getting on, the finished book, all of theirs.
Functions block."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from contract.keys import book_key
from contract.status import PageStatus
from gateway.cursors import behind, cursor
from gateway.errors import Problem
from gateway.order_records import Order, OrderEvent, OrderPage, PrintJobRecord
from gateway.orders import OrderStatus
from gateway.records import AS_PAINTED, Page, Preview, reading
from gateway.services import Services
from gateway.unlocked import picture_of, takes_in_book, unlocking_order

CREATIONS_AT_A_TIME: Final = 20


class ParentStatus(StrEnum):
    """Where an order is, in a parent's words."""

    RECEIVED = "received"
    PAINTING = "painting"
    CHECKING = "checking"
    PREPARING = "preparing"
    PRINTING = "printing"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    CANCELLED = "cancelled"


_S = OrderStatus
_WORDS: Final[Mapping[OrderStatus, ParentStatus]] = {
    _S.PAID: ParentStatus.RECEIVED,
    _S.RENDERING: ParentStatus.PAINTING,
    _S.AWAITING_APPROVAL: ParentStatus.CHECKING,
    _S.UPSCALING: ParentStatus.PREPARING,
    _S.ASSEMBLING: ParentStatus.PREPARING,
    _S.SUBMITTING: ParentStatus.PREPARING,
    _S.IN_PRODUCTION: ParentStatus.PRINTING,
    _S.SHIPPED: ParentStatus.SHIPPED,
    _S.DELIVERED: ParentStatus.DELIVERED,
    _S.COMPLETED: ParentStatus.DELIVERED,
    _S.NEEDS_ATTENTION: ParentStatus.DELAYED,
    _S.ON_HOLD: ParentStatus.DELAYED,
    _S.CANCELLED: ParentStatus.CANCELLED,
    _S.FAILED: ParentStatus.CANCELLED,
}

# The states that prove a step to be done, whichever an order went through.
_STEPS: Final[Mapping[str, frozenset[OrderStatus]]] = {
    "paid": frozenset({_S.PAID}),
    "painted": frozenset(
        {_S.AWAITING_APPROVAL, _S.UPSCALING, _S.ASSEMBLING, _S.SUBMITTING, _S.IN_PRODUCTION}
    ),
    "given_to_the_printer": frozenset({_S.IN_PRODUCTION, _S.SHIPPED, _S.DELIVERED}),
    "shipped": frozenset({_S.SHIPPED, _S.DELIVERED, _S.COMPLETED}),
    "delivered": frozenset({_S.DELIVERED, _S.COMPLETED}),
}


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Step(_Answer):
    """One step of an order; ``at`` is when it was done."""

    step: Literal["paid", "painted", "given_to_the_printer", "shipped", "delivered"]
    done: bool
    at: datetime | None


class Tracking(_Answer):
    """Where the parcel can be followed."""

    carrier: str
    urls: list[str]


class ParentOrder(_Answer):
    """An order as its parent sees it. ``dedication`` is what is printed beneath the title;
    ``progress`` is the share of painted pages in percent; ``download_url`` is None until the book
    is there, and once its time is over."""

    order_id: str
    preview_id: str
    order_number: str
    status: ParentStatus
    title: str
    dedication: str | None
    quantity: int
    steps: list[Step]
    progress: int = Field(ge=0, le=100)
    pages_ready: int
    total_pages: int
    tracking: Tracking | None
    download_url: str | None
    download_until: datetime | None
    ordered_at: datetime
    shipped_at: datetime | None
    updated_at: datetime


class Download(_Answer):
    """A link to the book that lives for minutes."""

    url: str


class CreationOrder(_Answer):
    """An order of a creation."""

    order_id: str
    status: ParentStatus


class Creation(_Answer):
    """A preview in a parent's list. ``cover_url`` is empty until there is a picture.
    ``access_token`` opens the preview."""

    preview_id: str
    title: str
    child_name: str
    book_id: str
    cover_url: str
    is_watermarked: bool
    created_at: datetime
    expires_at: datetime
    access_token: str
    orders: list[CreationOrder]


class CreationList(_Answer):
    """A parent's previews, the newest first. ``next_cursor`` is None at the end."""

    creations: list[Creation]
    next_cursor: str | None


def parent_order(services: Services, order_id: str, preview_id: str | None) -> ParentOrder:
    """Return an order for one who holds the token of ``preview_id``.

    Raises:
        Problem: ``order_unknown``, also for another parent's order.
    """
    with reading(services.engine) as session:
        order, preview = _owned(session, order_id, preview_id)
        return _parent_order(services, session, order, preview)


def customers_order(
    services: Services, order_id: str, shop_id: str, customer_id: str
) -> ParentOrder:
    """Return an order for the shop's customer whose it is, as the shop has verified.

    Raises:
        Problem: ``order_unknown``, also for another customer's order.
    """
    with reading(services.engine) as session:
        order = session.get(Order, order_id)
        if order is None or (order.shop_id, order.customer_id) != (shop_id, customer_id):
            raise Problem("order_unknown")
        order, preview = _owned(session, order_id, order.preview_id)
        return _parent_order(services, session, order, preview)


def download(services: Services, order_id: str, preview_id: str | None) -> Download:
    """Return a link to the finished book for one who holds the token of ``preview_id``.

    Raises:
        Problem: ``order_unknown``, ``download_not_ready``, ``download_over``.
    """
    with reading(services.engine) as session:
        order, _ = _owned(session, order_id, preview_id)
        return _download(services, order)


def download_by_letter(services: Services, token: str) -> Download:
    """Return a link to the book for one who has the link of a letter.

    Raises:
        Problem: ``link_invalid``, ``download_not_ready``, ``download_over``.
    """
    order_id = services.download_links.order_id(token)
    if order_id is None:
        raise Problem("link_invalid")
    with reading(services.engine) as session:
        order = session.get(Order, order_id)
        if order is None:
            raise Problem("link_invalid")
        return _download(services, order)


def download_url(services: Services, order: Order) -> str | None:
    """Where the finished book of an order can be downloaded, for one who holds its token; None
    while, or after, it can't."""
    until = order.download_until
    if not order.files or until is None or until <= services.clock.now():
        return None
    base = str(services.settings.public_url).rstrip("/")
    return f"{base}/api/download/{order.order_id}"


def creations_of_session(
    services: Services,
    tokens: Sequence[str],
    session_id: str | None,
    after: str | None,
    limit: int,
) -> CreationList:
    """Return the previews whose tokens are shown, and of these only those that were made in the
    shop's session ``session_id``, if that is given."""
    known = {services.tokens.preview_id(token) for token in tokens} - {None}
    held = Preview.preview_id.in_(sorted(filter(None, known)))
    whose = held if session_id is None else and_(held, Preview.session_id == session_id)
    return _creations(services, whose, after, limit)


def creations_of_customer(
    services: Services, shop_id: str, customer_id: str, after: str | None, limit: int
) -> CreationList:
    """Return the previews of a shop's customer, whom the shop has verified."""
    whose = and_(Preview.shop_id == shop_id, Preview.customer_id == customer_id)
    return _creations(services, whose, after, limit)


def _owned(session: Session, order_id: str, preview_id: str | None) -> tuple[Order, Preview]:
    order = session.get(Order, order_id)
    if order is None or preview_id is None or order.preview_id != preview_id:
        raise Problem("order_unknown")
    preview = session.get_one(Preview, preview_id)
    if preview.erased_at is not None:
        raise Problem("order_unknown")
    return order, preview


def _parent_order(
    services: Services, session: Session, order: Order, preview: Preview
) -> ParentOrder:
    book = services.books.book(preview.book_id)
    ready, total = _pages_ready(session, order), len(book.pages)
    url = download_url(services, order)
    return ParentOrder(
        order_id=order.order_id,
        preview_id=preview.preview_id,
        order_number=order.source_order,
        status=_WORDS[order.status],
        title=book.title_for(preview.child_name),
        dedication=order.dedication,
        quantity=order.quantity,
        steps=_steps(session, order),
        progress=100 * ready // total,
        pages_ready=ready,
        total_pages=total,
        tracking=_tracking(session, order),
        download_url=url,
        download_until=order.download_until if url else None,
        ordered_at=order.paid_at,
        shipped_at=order.shipped_at,
        updated_at=order.updated_at,
    )


def _download(services: Services, order: Order) -> Download:
    until = order.download_until
    if until is None or until <= services.clock.now() or order.erased_at is not None:
        raise Problem("download_over")
    if not order.files:
        raise Problem("download_not_ready")
    return Download(url=services.links.url(book_key(order.order_id, "screen_book")))


def _pages_ready(session: Session, order: Order) -> int:
    """How many pages of the order's book are painted."""
    rows = session.scalars(
        select(Page.page_number)
        .join(
            OrderPage, (OrderPage.page_number == Page.page_number) & (OrderPage.take == Page.take)
        )
        .where(OrderPage.order_id == order.order_id, Page.preview_id == order.preview_id)
        .where(Page.variant == AS_PAINTED, Page.status == PageStatus.COMPLETED)
    ).all()
    return len(rows)


def _steps(session: Session, order: Order) -> list[Step]:
    events = session.execute(
        select(OrderEvent.after, OrderEvent.at)
        .where(OrderEvent.order_id == order.order_id, OrderEvent.after.is_not(None))
        .order_by(OrderEvent.event_id)
    ).all()
    steps = []
    for name, proofs in _STEPS.items():
        at = next((at for after, at in events if after in proofs), None)
        steps.append(Step.model_validate({"step": name, "done": at is not None, "at": at}))
    return steps


def _tracking(session: Session, order: Order) -> Tracking | None:
    told = session.scalars(
        select(PrintJobRecord.tracking)
        .where(PrintJobRecord.order_id == order.order_id, PrintJobRecord.tracking.is_not(None))
        .order_by(PrintJobRecord.edition.desc())
        .limit(1)
    ).one_or_none()
    return Tracking(carrier=told["carrier"] or "", urls=told["urls"]) if told else None


def _creations(
    services: Services, whose: ColumnElement[bool], after: str | None, limit: int
) -> CreationList:
    now = services.clock.now()
    wanted = select(Preview).where(whose, Preview.erased_at.is_(None), Preview.expires_at > now)
    if after is not None:
        wanted = wanted.where(behind(after, Preview.created_at, Preview.preview_id))
    newest_first = wanted.order_by(Preview.created_at.desc(), Preview.preview_id.desc())
    with reading(services.engine) as session:
        found = session.scalars(newest_first.limit(limit + 1)).all()
        listed = [_creation(services, session, preview) for preview in found[:limit]]
    last = found[limit - 1] if len(found) > limit else None
    return CreationList(
        creations=listed,
        next_cursor=cursor(last.created_at, last.preview_id) if last else None,
    )


def _creation(services: Services, session: Session, preview: Preview) -> Creation:
    book = services.books.book(preview.book_id)
    pages = session.scalars(
        select(Page).where(
            Page.preview_id == preview.preview_id,
            Page.page_number == book.cover_page,
            Page.variant == AS_PAINTED,
        )
    ).all()
    in_book = takes_in_book(session, unlocking_order(session, preview.preview_id))
    picture = picture_of(book.cover_page, pages, in_book)
    orders = session.scalars(
        select(Order).where(Order.preview_id == preview.preview_id).order_by(Order.paid_at)
    )
    return Creation(
        preview_id=preview.preview_id,
        title=book.title_for(preview.child_name),
        child_name=preview.child_name,
        book_id=book.id,
        cover_url=services.links.url(picture.key) if picture else "",
        is_watermarked=picture.is_watermarked if picture else True,
        created_at=preview.created_at,
        expires_at=preview.expires_at,
        access_token=services.tokens.issue(preview.preview_id),
        orders=[
            CreationOrder(order_id=order.order_id, status=_WORDS[order.status]) for order in orders
        ],
    )
