"""Which pictures of a preview a parent sees: with a mark until the book is paid, then without one.

That is decided by the records of orders alone; nothing that a caller sends has an influence.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway.order_records import Order, OrderPage, PaymentState
from gateway.orders import OrderStatus
from gateway.records import Page
from gateway.takes import shown_pages

_ENDED_UNPAID = (OrderStatus.CANCELLED, OrderStatus.FAILED)


@dataclass(frozen=True)
class Picture:
    """A picture in the store that a parent may see, and the page that it was made of."""

    key: str
    is_watermarked: bool
    page: Page


def unlocking_order(session: Session, preview_id: str) -> Order | None:
    """The newest order of the preview that is paid: neither cancelled nor given back."""
    return session.scalars(
        select(Order)
        .where(Order.preview_id == preview_id, Order.status.not_in(_ENDED_UNPAID))
        .where(Order.payment != PaymentState.REFUNDED, Order.erased_at.is_(None))
        .order_by(Order.paid_at.desc(), Order.order_id)
        .limit(1)
    ).one_or_none()


def takes_in_book(session: Session, order: Order | None) -> dict[int, int]:
    """Which take of each page is in the order's book; empty until that is decided."""
    if order is None:
        return {}
    pages = session.scalars(select(OrderPage).where(OrderPage.order_id == order.order_id))
    return {page.page_number: page.take for page in pages}


def picture_of(number: int, pages: Sequence[Page], in_book: Mapping[int, int]) -> Picture | None:
    """Return the picture of a page that is shown, of all its takes; None while there is none.

    A page of a paid book without its picture yet is shown as it was before.
    """
    for page in pages:
        if page.page_number == number and in_book.get(number) == page.take and page.clean_key:
            return Picture(page.clean_key, is_watermarked=False, page=page)
    shown = shown_pages(pages).get(number)
    if shown is None or shown.preview_key is None:
        return None
    return Picture(shown.preview_key, is_watermarked=True, page=shown)
