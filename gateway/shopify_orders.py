"""What Shopify's webhooks do to orders.

Each line item of an order that names a preview is a book of its own. The preview's id stands in a
property that the buyer can change: it is checked against the record. As with Stripe, messages come
twice and in any order: what is about an order that isn't there yet waits for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import order_book
from gateway.addresses import email_of, from_shopify
from gateway.customers import Customer
from gateway.dedications import told_dedication
from gateway.inbox import SHOPIFY, Message, NotYet, Unusable, wake
from gateway.money import minor_units
from gateway.order_book import Lives, Payment
from gateway.order_records import Order, OrderEvent, PaymentState, Source
from gateway.ports import Clock
from gateway.records import Preview, reading, writing
from gateway.shops import Shop

PAID: Final = "orders/paid"
CANCELLED: Final = "orders/cancelled"
REFUNDED: Final = "refunds/create"
DATA_REQUEST: Final = "customers/data_request"
CUSTOMER_REDACT: Final = "customers/redact"
SHOP_REDACT: Final = "shop/redact"

PREVIEW_PROPERTIES: Final = ("preview_id", "_preview_id")
"""The line item property that names a preview. Shopify hides one with an underscore from buyers."""

DEDICATION_PROPERTIES: Final = ("dedication", "Dedication", "_dedication")
"""The line item property with the book's dedication. Buyers see its name."""

# The kinds of facts in an order's history.
_NAME: Final = "shopify_order"
_REFUND: Final = "shopify_refund"
_CANCELLED: Final = "shopify_cancelled"


def _empty(value: Any) -> Any:
    return value or []


class _Told(BaseModel):
    """A part of what Shopify tells; the rest is ignored. Ids are larger than 2^53."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Property(_Told):
    name: Any = None
    value: Any = None


class _Allocation(_Told):
    amount: Decimal = Decimal(0)


class _Line(_Told):
    id: int
    quantity: int = 0
    price: Decimal = Decimal(0)
    discount_allocations: Annotated[list[_Allocation], BeforeValidator(_empty)] = []
    properties: Annotated[list[_Property], BeforeValidator(_empty)] = []

    @property
    def preview_id(self) -> str | None:
        """The id that it names, whether or not there is such a preview; None if it isn't a book."""
        claimed = self._property(PREVIEW_PROPERTIES)
        return claimed.strip() if claimed is not None else None

    @property
    def dedication(self) -> str | None:
        """The dedication as the buyer wrote it."""
        return self._property(DEDICATION_PROPERTIES)

    def _property(self, names: Sequence[str]) -> str | None:
        told = (item.value for item in self.properties if item.name in names and item.value)
        return next(map(str, told), None)

    def amount(self, currency: str) -> int:
        """What was paid for it, in the currency's minor unit."""
        total = self.price * self.quantity - sum(d.amount for d in self.discount_allocations)
        return minor_units(total, currency)


class _Customer(_Told):
    id: int | None = None
    email: str | None = None


class _Order(_Told):
    id: int
    name: str = ""
    email: str | None = None
    contact_email: str | None = None
    phone: str | None = None
    test: bool = False
    currency: str = ""
    cancelled_at: AwareDatetime | None = None
    processed_at: AwareDatetime | None = None
    customer: _Customer | None = None
    shipping_address: dict[str, Any] | None = None
    line_items: list[_Line] = Field(default_factory=list)

    @property
    def books(self) -> list[_Line]:
        """The line items that are books of ours."""
        return [line for line in self.line_items if line.preview_id and line.quantity > 0]


class _RefundedLine(_Told):
    line_item_id: int
    quantity: int
    line_item: _Line | None = None


class _Refund(_Told):
    id: int
    order_id: int
    refund_line_items: Annotated[list[_RefundedLine], BeforeValidator(_empty)] = []


class _Compliance(_Told):
    shop_domain: str
    customer: _Customer | None = None
    orders_to_redact: Annotated[list[int], BeforeValidator(_empty)] = []
    orders_requested: Annotated[list[int], BeforeValidator(_empty)] = []

    def whose(self, shop_id: str) -> Customer:
        """Whom a request is about: a buyer may have no name but that of an order.

        Raises:
            Unusable: nobody.
        """
        customer = self.customer or _Customer()
        try:
            return Customer(
                shop_id,
                str(customer.id) if customer.id is not None else None,
                email_of(customer.email),
                tuple(map(str, [*self.orders_to_redact, *self.orders_requested])),
            )
        except ValueError:
            raise Unusable("no_customer") from None


@dataclass(frozen=True)
class Privacy:
    """What is done about a customer's data. All block, and are safe to repeat.

    ``tell_data`` also takes the request's id, and sees to it that the shop gets what is stored; it
    raises Unusable if only a person can do that. ``erase_shop`` takes the shop's id.
    """

    erase_customer: Callable[[Customer], object]
    tell_data: Callable[[Customer, str], object]
    erase_shop: Callable[[str], object]


@dataclass(frozen=True)
class ShopifyOrders:
    """Handles Shopify's webhooks. Methods block, and are safe to repeat.

    With ``take_test_payments`` orders that Shopify marks as tests count.
    """

    engine: Engine
    clock: Clock
    lives: Lives
    take_test_payments: bool
    privacy: Privacy

    def handle(self, message: Message) -> str:
        """Do what a webhook asks for: the inbox's handler."""
        shop = shop_of(self.engine, message.shop_domain)
        if shop is None:
            raise Unusable("shop_unknown")
        try:
            match message.topic:
                case "orders/paid":
                    return self._paid(shop, _Order.model_validate_json(message.body))
                case "orders/cancelled":
                    return self._cancelled(shop, _Order.model_validate_json(message.body))
                case "refunds/create":
                    return self._refunded(shop, _Refund.model_validate_json(message.body))
                case _:
                    told = _Compliance.model_validate_json(message.body)
                    return self._comply(shop, message, told)
        except ValidationError:
            raise Unusable("form") from None

    def _paid(self, shop: Shop, told: _Order) -> str:
        if not told.books:
            return "not_ours"
        if told.test and not self.take_test_payments:
            return "test_mode"
        now = self.clock.now()
        with writing(self.engine) as session:
            made = [
                order
                for line in told.books
                if (order := self._record(session, shop, told, line, now)) is not None
            ]
            wake(session, now, source=SHOPIFY, shop_domain=shop.shopify_domain or "")
        return "order" if made else "known"

    def _record(
        self, session: Session, shop: Shop, told: _Order, line: _Line, now: datetime
    ) -> Order | None:
        payment = _payment(session, shop, told, line, now)
        order = order_book.record_payment(session, payment, self.lives, now)
        if order is not None:
            # By this the shop knows it; ours is the id behind it.
            detail = {"name": told.name[:64]}
            order.source_name = told.name[:64] or None
            order_book.record(session, order, now, actor=SHOPIFY, kind=_NAME, detail=detail)
            if told.cancelled_at is not None:
                _cancel(session, order, now)
        return order

    def _cancelled(self, shop: Shop, told: _Order) -> str:
        if not told.books:
            return "not_ours"
        if told.test and not self.take_test_payments:
            return "test_mode"
        now = self.clock.now()
        with writing(self.engine) as session:
            orders = _orders(session, shop, told.id)
            for order in orders:
                _cancel(session, order, now)
        return _applied(orders)

    def _refunded(self, shop: Shop, told: _Refund) -> str:
        lines = told.refund_line_items
        shown = [item.line_item for item in lines if item.line_item is not None]
        if shown and len(shown) == len(lines) and not any(line.preview_id for line in shown):
            return "not_ours"
        now = self.clock.now()
        with writing(self.engine) as session:
            orders = _orders(session, shop, told.order_id)
            for order in orders:
                _refund(session, order, told, now)
        return _applied(orders)

    def _comply(self, shop: Shop, message: Message, told: _Compliance) -> str:
        if told.shop_domain.lower() != message.shop_domain:
            raise Unusable("wrong_shop")
        if message.topic == SHOP_REDACT:
            self.privacy.erase_shop(shop.shop_id)
        elif message.topic == CUSTOMER_REDACT:
            self.privacy.erase_customer(told.whose(shop.shop_id))
        elif message.topic == DATA_REQUEST:
            self.privacy.tell_data(told.whose(shop.shop_id), message.message_id)
        else:
            raise Unusable("topic")
        return "applied"


def requested_by(shop_id: str, body: str) -> Customer | None:
    """Whom a recorded request about a customer's data is about; None if that can't be read."""
    try:
        return _Compliance.model_validate_json(body).whose(shop_id)
    except (ValidationError, Unusable):
        return None


def shop_of(engine: Engine, domain: str) -> Shop | None:
    """The shop that has this domain at Shopify."""
    if not domain:
        return None
    with reading(engine) as session:
        return session.scalar(select(Shop).where(Shop.shopify_domain == domain))


def _payment(session: Session, shop: Shop, told: _Order, line: _Line, now: datetime) -> Payment:
    preview_id, problem = _checked_preview(session, shop, line)
    ship_to = from_shopify(told.shipping_address, told.phone)
    dedication, refused = told_dedication(line.dedication or "")
    customer = told.customer or _Customer()
    currency = told.currency[:3].upper()
    return Payment(
        source=Source.SHOPIFY,
        shop_id=shop.shop_id,
        shop_domain=shop.shopify_domain or "",
        source_id=f"{told.id}/{line.id}",
        source_order=str(told.id),
        payment_id=None,
        preview_id=preview_id,
        quantity=line.quantity,
        amount=line.amount(currency),
        currency=currency,
        test=told.test,
        customer_id=str(customer.id) if customer.id is not None else None,
        email=email_of(told.email) or email_of(told.contact_email) or email_of(customer.email),
        address=vars(ship_to.address) if ship_to.address else None,
        paid_at=told.processed_at or now,
        problem=problem or ship_to.problem or refused,
        dedication=dedication,
    )


def _checked_preview(session: Session, shop: Shop, line: _Line) -> tuple[str | None, str | None]:
    """The preview that a line item names, if it is this shop's; and why it can't be printed."""
    claimed = line.preview_id or ""
    known = session.get(Preview, claimed) if claimed.isascii() and claimed.isalnum() else None
    if known is None:
        return None, "preview_unknown"
    if known.shop_id != shop.shop_id:
        return None, "wrong_shop"
    return known.preview_id, None


def _orders(session: Session, shop: Shop, order_id: int) -> list[Order]:
    orders = order_book.orders_of(session, Source.SHOPIFY, str(order_id))
    return [order for order in orders if order.shop_domain == shop.shopify_domain]


def _applied(orders: Sequence[Order]) -> str:
    if not orders:
        raise NotYet("no_order")
    return "applied"


def _cancel(session: Session, order: Order, now: datetime) -> None:
    if not _facts(session, order, _CANCELLED):
        order_book.record(
            session, order, now, actor=SHOPIFY, kind=_CANCELLED, detail={"by": "shop"}
        )
        order_book.cancel(session, order, "cancelled_in_shop", now, actor=SHOPIFY)


def _refund(session: Session, order: Order, told: _Refund, now: datetime) -> None:
    """Keep what a refund gives back of an order's book, and do what follows from all of them."""
    line_id = int(order.source_id.partition("/")[2])
    quantities = [i.quantity for i in told.refund_line_items if i.line_item_id == line_id]
    # Money alone, such as for a late delivery, may be about any of the books.
    if told.refund_line_items and not quantities:
        return
    facts = _facts(session, order, _REFUND)
    fact = {"refund": str(told.id), "quantity": sum(quantities)}
    if fact in facts:
        return
    order_book.record(session, order, now, actor=SHOPIFY, kind=_REFUND, detail=fact)
    fully = sum(each["quantity"] for each in [*facts, fact]) >= order.quantity
    if order.payment is not PaymentState.REFUNDED:
        order_book.refunded(session, order, fully=fully, now=now, actor=SHOPIFY)


def _facts(session: Session, order: Order, kind: str) -> list[dict[str, Any]]:
    session.flush()
    events = session.scalars(
        select(OrderEvent).where(OrderEvent.order_id == order.order_id, OrderEvent.kind == kind)
    )
    return [event.detail or {} for event in events]
