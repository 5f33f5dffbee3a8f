"""Who a shop's customer is: what is theirs, and what is somebody else's of the same name."""

from typing import Any

from gateway.customers import Customer, customers_of, orders_of, previews_of
from gateway.order_records import Order, Source
from gateway.records import Preview, reading, writing
from tests.gateway.order_stage import OrderStage

SECRET = "a secret of at least thirty-two characters"


def looked_at(orders: OrderStage, **columns: Any) -> str:
    """A preview of somebody who bought nothing; return its id."""
    preview_id = orders.preview().preview_id
    with writing(orders.services.engine) as session:
        preview = session.get_one(Preview, preview_id)
        for name, value in columns.items():
            setattr(preview, name, value)
    return preview_id


def test_a_name_in_a_tombstone_is_the_same_however_an_address_is_written() -> None:
    (told,) = Customer("toys", email="Mum@Example.com").hashed(SECRET)
    assert Customer("toys", email="mum@example.COM").hashed(SECRET) == [told]
    assert Customer("toys", "77", "mum@example.com").hashed(SECRET)[1] == told
    assert Customer("books", email="mum@example.com").hashed(SECRET) != [told]


def test_previews_of_who_bought_nothing_are_theirs_in_their_shop_alone(orders: OrderStage) -> None:
    mine = looked_at(orders, customer_id="77", shop_id="toys")
    looked_at(orders, customer_id="77", shop_id="books")
    looked_at(orders, customer_id="78", shop_id="toys")
    whose = Customer("toys", "77")
    with reading(orders.services.engine) as session:
        assert orders_of(session, whose, held=False) == []
        found = previews_of(session, whose, [], held=False)
    assert [preview.preview_id for preview in found] == [mine]


def test_a_shops_customers_are_those_who_bought_or_looked_and_arent_erased(
    orders: OrderStage,
) -> None:
    looked_at(orders, customer_id="78", shop_id="toys")
    looked_at(orders, customer_id="79", shop_id="books")
    at_toys: dict[str, Any] = {"source": Source.SHOPIFY, "shop_id": "toys"}
    assert orders.pay(None, "1/1", **at_toys, source_order="1", customer_id="77", email=None)
    assert orders.pay(None, "2/1", **at_toys, source_order="2", email=None)
    gone = orders.pay(None, "3/1", **at_toys, source_order="3", email="gone@example.com")
    assert gone
    with writing(orders.services.engine) as session:
        session.get_one(Order, gone).erased_at = orders.services.clock.now()
    found = customers_of(orders.services.engine, "toys")
    nameless = Customer("toys", shopify_orders=("2",))
    assert set(found) == {Customer("toys", "77"), nameless, Customer("toys", "78")}
