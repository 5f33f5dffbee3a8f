"""Orders as the desk sees them. Whoever looks at an order's people is written down."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, or_, select, union
from sqlalchemy.orm import Session

from contract.keys import BOOK_PARTS, BookPart, book_key
from contract.status import PageStatus
from gateway.costs import Cost, cost
from gateway.cursors import behind, cursor
from gateway.desk_schema import (
    Child,
    CostEntry,
    DeskPage,
    FileLink,
    HistoryEntry,
    OrderDetail,
    OrderList,
    OrderQuery,
    OrderRow,
    OutboxEntry,
    PrintJobEntry,
    Take,
)
from gateway.errors import Problem
from gateway.order_records import (
    AuditEntry,
    Order,
    OrderEvent,
    OrderPage,
    OutboxItem,
    PrintJobRecord,
)
from gateway.records import AS_PAINTED, Job, Page, Preview, Record, reading, writing
from gateway.services import Services

_Model = TypeVar("_Model", bound=BaseModel)


def list_orders(services: Services, username: str, query: OrderQuery) -> OrderList:
    """The orders that ``query`` asks for, the newest first. A search is written down, what was
    searched for isn't: it may be an address."""
    if query.q is not None:
        _note(services, username, "orders_searched", None)
    with reading(services.engine) as session:
        found = session.scalars(_listed(query)).all()
    rows = [order_row(order) for order in found[: query.limit]]
    more = len(found) > query.limit
    last = found[query.limit - 1] if more else None
    return OrderList(orders=rows, next_cursor=cursor(last.paid_at, last.order_id) if last else None)


def order_detail(services: Services, username: str, order_id: str) -> OrderDetail:
    """All of an order. That it was looked at is written down first.

    Raises:
        Problem: ``order_unknown``.
    """
    _existing(services, order_id)
    _note(services, username, "order_viewed", order_id)
    with reading(services.engine) as session:
        order = session.get(Order, order_id)
        if order is None:
            raise Problem("order_unknown")
        return _detail(services, session, order)


def file_link(services: Services, username: str, order_id: str, part: BookPart) -> FileLink:
    """A link to a part of the assembled book.

    Raises:
        Problem: ``order_unknown``, or ``file_unknown`` if it isn't assembled, or was removed.
    """
    order = _existing(services, order_id)
    if not order.files or part not in order.files:
        raise Problem("file_unknown")
    _note(services, username, "file_opened", order_id, {"part": part})
    return FileLink(url=services.links.url(book_key(order_id, part)))


def order_row(order: Order) -> OrderRow:
    """An order as a list tells it."""
    return _told(OrderRow, order)


def _told(model: type[_Model], record: Record) -> _Model:
    """The document of a record: its fields have the names of the columns."""
    return model.model_validate({name: getattr(record, name) for name in model.model_fields})


def _listed(query: OrderQuery) -> Select[Order]:
    wanted: Select[Order] = select(Order)
    if query.status is not None:
        wanted = wanted.where(Order.status == query.status)
    if query.q is not None:
        wanted = wanted.where(_named(query.q.strip()))
    if query.cursor is not None:
        wanted = wanted.where(behind(query.cursor, Order.paid_at, Order.order_id))
    newest_first = wanted.order_by(Order.paid_at.desc(), Order.order_id.desc())
    return newest_first.limit(query.limit + 1)


def _named(text: str) -> ColumnElement[bool]:
    """The condition for orders of that name. Each part of it has an index of its own, which a
    database uses only if they are looked up apart."""
    number = text.removeprefix("#")  # with which Shopify shows it, unless the shop changed that
    by_own_names = select(Order.order_id).where(
        or_(
            Order.order_id == text,
            Order.source_order == text,
            Order.source_id == text,
            Order.source_name.in_((text, number, f"#{number}")),
            Order.payment_id == text,
            Order.email_key == text.lower(),
        )
    )
    at_printer = select(PrintJobRecord.order_id).where(
        or_(PrintJobRecord.external_id == text, PrintJobRecord.vendor_id == text)
    )
    return Order.order_id.in_(union(by_own_names, at_printer))


def _existing(services: Services, order_id: str) -> Order:
    with reading(services.engine) as session:
        order = session.get(Order, order_id)
    if order is None:
        raise Problem("order_unknown")
    return order


def _note(
    services: Services,
    username: str,
    action: str,
    order_id: str | None,
    detail: dict[str, str] | None = None,
) -> None:
    with writing(services.engine) as session:
        session.add(
            AuditEntry(
                at=services.clock.now(),
                username=username,
                action=action,
                order_id=order_id,
                detail=detail,
            )
        )


def _detail(services: Services, session: Session, order: Order) -> OrderDetail:
    preview = session.get(Preview, order.preview_id) if order.preview_id else None
    living = preview if preview is not None and preview.erased_at is None else None
    price = services.settings.gpu_second_price
    return OrderDetail(
        **order_row(order).model_dump(),
        email=order.email,
        address=order.address,
        dedication=order.dedication,
        customer_id=order.customer_id,
        preview_id=order.preview_id,
        book_id=preview.book_id if preview else None,
        title=_title(services, living) if living else None,
        child=_child(living) if living else None,
        approved_at=order.approved_at,
        download_until=order.download_until,
        run=order.run,
        edition=order.edition,
        print_profile=order.print_profile,
        pages=_pages(services, session, order) if living else [],
        files=[part for part in BOOK_PARTS if part in (order.files or {})],
        history=_history(session, order.order_id),
        print_jobs=_print_jobs(session, order.order_id),
        outbox=_outbox(session, order.order_id),
        cost=_cost_entry(cost(_timings(session, Job.order_id == order.order_id), price)),
        preview_cost=_cost_entry(
            cost(
                _timings(session, Job.order_id.is_(None) & (Job.preview_id == order.preview_id)),
                price,
            )
        ),
    )


def _title(services: Services, preview: Preview) -> str | None:
    try:
        return services.books.book(preview.book_id).title_for(preview.child_name)
    except Problem:
        return None  # the book is no longer on offer


def _child(preview: Preview) -> Child:
    return Child(
        name=preview.child_name,
        age=preview.child_age,
        gender=preview.child_gender,
        appearance=preview.appearance,
    )


def _pages(services: Services, session: Session, order: Order) -> list[DeskPage]:
    takes = session.scalars(
        select(Page)
        .where(Page.preview_id == order.preview_id, Page.variant == AS_PAINTED)
        .order_by(Page.page_number, Page.take)
    ).all()
    chosen = {
        page.page_number: page.take
        for page in session.scalars(select(OrderPage).where(OrderPage.order_id == order.order_id))
    }
    by_number: dict[int, list[Take]] = {}
    for page in takes:
        take = _take(services, page, chosen=chosen.get(page.page_number) == page.take)
        by_number.setdefault(page.page_number, []).append(take)
    return [DeskPage(page_number=n, takes=listed) for n, listed in sorted(by_number.items())]


def _take(services: Services, page: Page, *, chosen: bool) -> Take:
    ready = page.status is PageStatus.COMPLETED
    return Take(
        take=page.take,
        chosen=chosen,
        status=page.status,
        seed=page.seed,
        image_url=services.links.url(page.key) if ready else "",
        error_code=str(page.error["code"]) if page.error else None,
    )


def _history(session: Session, order_id: str) -> list[HistoryEntry]:
    events = session.scalars(
        select(OrderEvent).where(OrderEvent.order_id == order_id).order_by(OrderEvent.event_id)
    )
    return [_told(HistoryEntry, event) for event in events]


def _print_jobs(session: Session, order_id: str) -> list[PrintJobEntry]:
    records = session.scalars(
        select(PrintJobRecord)
        .where(PrintJobRecord.order_id == order_id)
        .order_by(PrintJobRecord.edition)
    )
    return [_told(PrintJobEntry, record) for record in records]


def _outbox(session: Session, order_id: str) -> list[OutboxEntry]:
    items = session.scalars(
        select(OutboxItem)
        .where(OutboxItem.order_id == order_id)
        .order_by(OutboxItem.created_at, OutboxItem.message_id)
    )
    return [_told(OutboxEntry, item) for item in items]


def _timings(session: Session, made_by: ColumnElement[bool]) -> Sequence[dict[str, object] | None]:
    return session.scalars(
        select(Page.timings).join(Job, Job.job_id == Page.job_id).where(made_by)
    ).all()


def _cost_entry(found: Cost) -> CostEntry:
    return CostEntry(pages=found.pages, gpu_seconds=found.gpu_seconds, usd=f"{found.usd:f}")
