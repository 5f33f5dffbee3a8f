"""Print orders, as tests of printers need them."""

import hashlib
from dataclasses import replace
from typing import Any

from gateway.ports import Address, PrintFile, PrintOrder
from storage.folder import FolderStore
from tests.gateway.fake_lulu import PRODUCT

INTERIOR, COVER = b"%PDF-1.7 the pages", b"%PDF-1.7 the cover"
HOME = Address(
    name="Ánh Nguyễn",
    line1="Holstenstraße 48",
    line2="",
    city="Lübeck",
    state="",
    postcode="23552",
    country="DE",
    phone="+49 451 000000",
)


def print_file(key: str, data: bytes) -> PrintFile:
    """The print file that ``data`` is, under ``key``."""
    return PrintFile(
        key=key,
        url=f"https://files.example/{key}?expires=1&signature=secret",
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def print_order(external_id: str = "order-1", **changes: Any) -> PrintOrder:
    """An order of one book; ``changes`` replace fields."""
    order = PrintOrder(
        external_id=external_id,
        title="Ánh and the Moonlit Fox",
        quantity=1,
        profile_id="lulu_square_8_5",
        product=PRODUCT,
        pages=38,
        interior=print_file("books/order-1/full_book.pdf", INTERIOR),
        cover=print_file("books/order-1/cover.pdf", COVER),
        ship_to=HOME,
        shipping_level="MAIL",
        contact_email="books@foxetales.example",
    )
    return replace(order, **changes)


def stored(store: FolderStore) -> FolderStore:
    """``store`` with the files of :func:`print_order` in it."""
    store.put("books/order-1/full_book.pdf", INTERIOR, "application/pdf")
    store.put("books/order-1/cover.pdf", COVER, "application/pdf")
    return store
