"""What the printer is told of an order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from books.model import Book
from gateway import order_book
from gateway.order_records import Order
from gateway.ports import Address, PrintFile, PrintOrder
from gateway.print_profiles import PrintProfile
from gateway.run_errors import StepFailed

LINK_LIFE: Final = timedelta(days=7)
"""How long the printer may take to fetch the files."""


@dataclass(frozen=True)
class PrintOrders:
    """Makes print orders. ``link`` makes a link to an object that lives for so long;
    ``contact_email`` is the shop's."""

    book: Callable[[str], Book]
    profile: Callable[[str], PrintProfile]
    link: Callable[[str, timedelta], str]
    contact_email: str
    shipping_level: str

    def make(self, session: Session, order: Order, external_id: str) -> PrintOrder:
        """Return the order as it is sent to the printer.

        Raises:
            StepFailed: it isn't assembled, or has no address.
        """
        if order.files is None or order.print_profile is None:
            raise StepFailed("not_assembled")
        if not order.address:
            raise StepFailed("address_missing")
        preview = order_book.preview_of(session, order)
        profile = self.profile(order.print_profile)
        return PrintOrder(
            external_id=external_id,
            title=self.book(preview.book_id).title_for(preview.child_name),
            quantity=order.quantity,
            profile_id=profile.id,
            product=profile.product,
            pages=order.files["pages"],
            interior=self._file(order.files["full_book"]),
            cover=self._file(order.files["cover"]),
            ship_to=Address(**order.address),
            shipping_level=self.shipping_level,
            contact_email=self.contact_email,
        )

    def _file(self, stored: dict[str, Any]) -> PrintFile:
        return PrintFile(
            key=stored["key"],
            url=self.link(stored["key"], LINK_LIFE),
            md5=stored["md5"],
            sha256=stored["sha256"],
            size_bytes=stored["size_bytes"],
        )
