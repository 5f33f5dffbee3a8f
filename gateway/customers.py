"""Who a shop's customer is, and what is theirs: orders and previews."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, false, or_, select
from sqlalchemy.orm import Session

from gateway.order_records import Order, Source
from gateway.records import Preview, reading


@dataclass(frozen=True)
class Customer:
    """A shop's customer, by any of: the shop's id of them, their e-mail address, or the ids at
    Shopify of orders of theirs, since an order there may name neither of the former.

    Raises:
        ValueError: none of them is given.
    """

    shop_id: str
    customer_id: str | None = None
    email: str | None = None
    shopify_orders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.customer_id or self.email or self.shopify_orders):
            raise ValueError("a customer is named by an id, an e-mail address, or an order")

    def hashed(self, secret: str) -> list[str]:
        """The customer's names, as a tombstone may keep them: not to be found without our secret,
        since addresses can be guessed."""
        names = [self.customer_id, self.email.lower() if self.email else None]
        told = [f"{self.shop_id}\n{name}".encode() for name in names if name]
        return [hmac.new(secret.encode(), name, hashlib.sha256).hexdigest() for name in told]

    def orders(self) -> ColumnElement[bool]:
        """The condition for orders of this customer."""
        by_id = Order.customer_id == self.customer_id if self.customer_id else false()
        by_mail = Order.email_key == self.email.lower() if self.email else false()
        named = and_(Order.source == Source.SHOPIFY, Order.source_order.in_(self.shopify_orders))
        by_order = named if self.shopify_orders else false()
        return and_(Order.shop_id == self.shop_id, or_(by_id, by_mail, by_order))


def orders_of(session: Session, whose: Customer, *, held: bool = True) -> Sequence[Order]:
    """The customer's orders, by id; ``held`` against other writers."""
    wanted = select(Order).where(whose.orders()).order_by(Order.order_id)
    return session.scalars(wanted.with_for_update() if held else wanted).all()


def previews_of(
    session: Session, whose: Customer, orders: Sequence[Order], *, held: bool = True
) -> Sequence[Preview]:
    """The previews of the customer and of their ``orders`` that aren't erased, by id."""
    of_orders = Preview.preview_id.in_([order.preview_id for order in orders if order.preview_id])
    own = (
        and_(Preview.shop_id == whose.shop_id, Preview.customer_id == whose.customer_id)
        if whose.customer_id
        else false()
    )
    wanted = (
        select(Preview)
        .where(or_(of_orders, own), Preview.erased_at.is_(None))
        .order_by(Preview.preview_id)
    )
    return session.scalars(wanted.with_for_update() if held else wanted).all()


def customers_of(engine: Engine, shop_id: str) -> list[Customer]:
    """All whom a shop's orders at Shopify and its previews are of, also those without a name."""
    of_shop = (Order.shop_id == shop_id, Order.source == Source.SHOPIFY, Order.erased_at.is_(None))
    with reading(engine) as session:
        bought = session.execute(
            select(Order.customer_id, Order.email, Order.source_order).where(*of_shop)
        ).all()
        looked = session.scalars(
            select(Preview.customer_id)
            .where(Preview.shop_id == shop_id, Preview.customer_id.is_not(None))
            .distinct()
        ).all()
    found = [
        Customer(shop_id, customer_id, email)
        if customer_id or email
        else Customer(shop_id, shopify_orders=(order,))
        for customer_id, email, order in bought
    ]
    return list(dict.fromkeys([*found, *(Customer(shop_id, customer) for customer in looked)]))
