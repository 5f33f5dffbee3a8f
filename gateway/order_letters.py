"""The letters about an order, from its records."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, select

from books.model import Book
from gateway import order_book
from gateway.mail_letters import Letter, LetterFacts, letter
from gateway.order_records import Order, PrintJobRecord, Source
from gateway.ports import Mail
from gateway.records import Preview, reading
from gateway.shops import Shop


@dataclass(frozen=True)
class OrderLetters:
    """Writes letters. ``download_url`` and ``order_url`` make an order's links, for a person."""

    engine: Engine
    book: Callable[[str], Book]
    download_url: Callable[[Order], str]
    order_url: Callable[[Order], str]

    def write(self, order_id: str, event: str, sending: int) -> Mail | None:
        """Return the letter about ``event``; None if there is nobody to write to any more.

        Raises:
            ValueError: there is no such letter.
        """
        with reading(self.engine) as session:
            order = session.get_one(Order, order_id)
            if not order.email or order.erased_at is not None:
                return None
            preview = order_book.preview_of(session, order) if order.preview_id else None
            shop = session.get(Shop, order.shop_id)
            tracked = session.scalars(
                select(PrintJobRecord.tracking)
                .where(PrintJobRecord.order_id == order_id, PrintJobRecord.tracking.is_not(None))
                .order_by(PrintJobRecord.edition.desc())
                .limit(1)
            ).one_or_none()
        child_name, title = self._names(preview)
        facts = LetterFacts(
            order_id=order_id,
            to=order.email,
            child_name=child_name,
            title=title,
            order_number=_number(order),
            shop_name=shop.name if shop else "Foxetales",
            order_url=self.order_url(order) if preview else "",
            download_url=self.download_url(order) if order.files else "",
            tracking_urls=tuple((tracked or {}).get("urls", ())),
            sending=sending,
        )
        return letter(Letter(event), facts)

    def _names(self, preview: Preview | None) -> tuple[str, str]:
        if preview is None or preview.erased_at is not None:
            return "your child", "your book"
        return preview.child_name, self.book(preview.book_id).title_for(preview.child_name)


def _number(order: Order) -> str:
    """The order's number for a person: the shop's own, or the beginning of ours where the payment
    provider only has a long secret-looking one."""
    if order.source is Source.SHOPIFY:
        return order.source_order
    return order.order_id[:8].upper()
