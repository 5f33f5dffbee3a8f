"""Shopify's orders: each book that is paid is an order, and what becomes of it is followed."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway.inbox import SHOPIFY, Inbox, Message, replay, undone
from gateway.order_records import InboxItem, Order, OrderEvent, PaymentState, Removal
from gateway.orders import OrderStatus
from gateway.records import Preview, reading, writing
from gateway.shops import Shop, add_shop, change_shop
from tests.gateway import fake_shopify
from tests.gateway.fake_shopify import DOMAIN, LINE, ORDER, line, order, refund
from tests.gateway.fakes import FakeCourier, MovableClock
from tests.gateway.rendering import Stage

_numbers = itertools.count(1)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"RATE_PREVIEWS": "off"}


@pytest.fixture
def inbox(stage: Stage) -> Inbox:
    return stage.services.sales.inbox


@pytest.fixture(autouse=True)
def shop(stage: Stage) -> Shop:
    shop = Shop(
        shop_id="acme",
        name="Acme",
        shopify_domain=DOMAIN,
        approval=False,
        webhook_url="https://acme.test/hooks",
        webhook_secret="whsec_" + "A" * 32,
    )
    add_shop(stage.services.engine, stage.services.clock, shop)
    return shop


def preview(stage: Stage, shop_id: str = "acme") -> str:
    """A preview that was made in a shop."""
    preview_id = stage.order().preview_id
    with writing(stage.services.engine) as session:
        session.get_one(Preview, preview_id).shop_id = shop_id
    return preview_id


def tell(inbox: Inbox, topic: str, document: dict[str, Any] | str, domain: str = DOMAIN) -> str:
    """A webhook comes in, and is handled; return what came of it."""
    body = document if isinstance(document, str) else fake_shopify.text(document).decode()
    message_id = f"webhook-{next(_numbers)}"
    inbox.record([Message(SHOPIFY, message_id, topic, body, f"e-{message_id}", domain)])
    while inbox.work_due():
        pass
    with reading(inbox.engine) as session:
        return session.get_one(InboxItem, (SHOPIFY, message_id)).outcome or ""


def orders(stage: Stage) -> list[Order]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(Order).order_by(Order.source_id)))


def the_order(stage: Stage) -> Order:
    (found,) = orders(stage)
    return found


def parked(stage: Stage) -> str | None:
    found = the_order(stage)
    assert found.status is OrderStatus.NEEDS_ATTENTION
    assert found.run_due_at is None
    return found.parked_reason


# what is paid


def test_a_book_that_is_paid_becomes_an_order(stage: Stage, inbox: Inbox) -> None:
    preview_id = preview(stage)
    assert tell(inbox, "orders/paid", order(line(preview_id, quantity=2))) == "order"
    found = the_order(stage)
    assert (found.status, found.preview_id) == (OrderStatus.PAID, preview_id)
    assert (found.shop_id, found.shop_domain) == ("acme", DOMAIN)
    assert found.source_name == "#1001"
    assert (found.quantity, found.amount, found.currency) == (2, 7800, "USD")
    assert (found.email, found.test) == ("parent@example.com", False)
    assert found.paid_at.isoformat() == "2030-01-01T11:30:00+00:00"
    assert found.address == {
        "name": "Thị Hồng Nguyễn",
        "line1": "1 Tràng Tiền",
        "line2": "Hoàn Kiếm",
        "city": "Hà Nội",
        "state": "",
        "postcode": "100000",
        "country": "VN",
        "phone": "+84 24 3933 0000",
    }


def test_ids_beyond_what_a_float_holds_stay_exact(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage))))
    found = the_order(stage)
    assert found.source_order == "9007199254740993" == str(ORDER)
    assert found.source_id == f"9007199254740993/{LINE}"
    assert found.customer_id == "8000000000000000017"


def test_each_book_of_an_order_is_an_order_of_its_own(stage: Stage, inbox: Inbox) -> None:
    first, second = preview(stage), preview(stage)
    mug = line(None, number=7)
    both = order(line(first), mug, line(second, number=1), line(first, number=2))
    assert tell(inbox, "orders/paid", both) == "order"
    assert [found.preview_id for found in orders(stage)] == [first, second, first]


def test_what_comes_again_under_another_id_changes_nothing(stage: Stage, inbox: Inbox) -> None:
    document = order(line(preview(stage)))
    assert [tell(inbox, "orders/paid", document) for _ in range(3)] == ["order", "known", "known"]
    assert len(orders(stage)) == 1


def test_an_order_without_books_is_none_of_ours(stage: Stage, inbox: Inbox) -> None:
    assert tell(inbox, "orders/paid", order(line(None))) == "not_ours"
    assert tell(inbox, "orders/paid", order(line("", properties=None))) == "not_ours"
    assert tell(inbox, "orders/cancelled", order(line(None))) == "not_ours"
    assert orders(stage) == []


def test_the_property_may_be_hidden_from_buyers(stage: Stage, inbox: Inbox) -> None:
    preview_id = preview(stage)
    hidden = line(None, properties=[{"name": "_preview_id", "value": f" {preview_id} "}])
    tell(inbox, "orders/paid", order(hidden))
    assert the_order(stage).preview_id == preview_id


@pytest.mark.parametrize("name", ["dedication", "Dedication", "_dedication"])
def test_a_book_may_have_a_dedication(stage: Stage, inbox: Inbox, name: str) -> None:
    book = line(preview(stage))
    book["properties"].append({"name": name, "value": " Tặng\r\nHồng  Ánh "})
    tell(inbox, "orders/paid", order(book))
    assert the_order(stage).dedication == "Tặng\nHồng Ánh"


@pytest.mark.parametrize("written", ["W" * 41, "a " * 100, "a\nb\nc\nd\ne", "x\0 " * 5000])
def test_a_dedication_that_was_not_checked_waits_for_the_desk(
    stage: Stage, inbox: Inbox, written: str
) -> None:
    book = line(preview(stage))
    book["properties"].append({"name": "dedication", "value": written})
    tell(inbox, "orders/paid", order(book))
    assert parked(stage) == "dedication_refused"
    kept = the_order(stage).dedication
    assert kept == written.replace("\0", "\ufffd")[: len(kept or "")]


@pytest.mark.parametrize("value", [None, "", " \n", [], {}])
def test_an_empty_dedication_is_none(stage: Stage, inbox: Inbox, value: object) -> None:
    book = line(preview(stage))
    book["properties"].append({"name": "dedication", "value": value})
    tell(inbox, "orders/paid", order(book))
    found = the_order(stage)
    assert (found.dedication, found.status) == (None, OrderStatus.PAID)


def test_discounts_are_taken_off_the_amount(stage: Stage, inbox: Inbox) -> None:
    allocations = [{"amount": "3.90"}, {"amount": "0.10"}]
    tell(inbox, "orders/paid", order(line(preview(stage), discount_allocations=allocations)))
    assert the_order(stage).amount == 3500


def test_a_currency_may_have_no_minor_unit(stage: Stage, inbox: Inbox) -> None:
    item = line(preview(stage), price="990000.00")
    tell(inbox, "orders/paid", order(item, currency="VND"))
    assert (the_order(stage).amount, the_order(stage).currency) == (990_000, "VND")


def test_the_desk_sees_by_which_name_the_shop_knows_it(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage))))
    with reading(inbox.engine) as session:
        events = session.scalars(select(OrderEvent).where(OrderEvent.kind == "shopify_order"))
        assert [event.detail for event in events] == [{"name": "#1001"}]


# what isn't as it should be


@pytest.mark.parametrize(
    "claimed", ["0" * 32, "../../etc/passwd", "é" * 32, "x" * 5000, "'; DROP TABLE orders; --"]
)
def test_a_preview_that_is_not_there_waits_for_the_desk(
    stage: Stage, inbox: Inbox, claimed: str
) -> None:
    tell(inbox, "orders/paid", order(line(claimed)))
    assert parked(stage) == "preview_unknown"


def test_another_shop_s_preview_is_not_printed_nor_unlocked(stage: Stage, inbox: Inbox) -> None:
    preview_id = preview(stage, "other")
    tell(inbox, "orders/paid", order(line(preview_id)))
    assert parked(stage) == "wrong_shop"
    assert the_order(stage).preview_id is None
    with reading(inbox.engine) as session:
        assert session.get_one(Preview, preview_id).paid_at is None


def test_an_expired_preview_waits_for_the_desk(
    stage: Stage, inbox: Inbox, clock: MovableClock
) -> None:
    preview_id = preview(stage)
    clock.move(days=8)
    tell(inbox, "orders/paid", order(line(preview_id)))
    assert parked(stage) == "preview_gone"


def test_a_pick_up_without_an_address_waits_for_the_desk(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage)), shipping_address=None))
    assert parked(stage) == "address_missing"


def test_a_test_order_makes_no_book(stage: Stage, inbox: Inbox) -> None:
    document = order(line(preview(stage)), test=True)
    assert tell(inbox, "orders/paid", document) == "test_mode"
    assert tell(inbox, "orders/cancelled", document) == "test_mode"
    assert orders(stage) == []


@pytest.mark.parametrize("body", ["", "{", "[]", '{"id": "x"}', '{"id": 1, "line_items": 3}'])
def test_what_cannot_be_read_is_kept_for_a_person(stage: Stage, inbox: Inbox, body: str) -> None:
    assert tell(inbox, "orders/paid", body) == "failed: form"


def test_a_shop_that_went_away_meanwhile_is_told(stage: Stage, inbox: Inbox) -> None:
    document = order(line(preview(stage)))
    assert tell(inbox, "orders/paid", document, "gone.myshopify.com") == "failed: shop_unknown"


# what becomes of it


def test_a_cancelled_order_is_cancelled(stage: Stage, inbox: Inbox) -> None:
    document = order(line(preview(stage)))
    tell(inbox, "orders/paid", document)
    assert tell(inbox, "orders/cancelled", document) == "applied"
    assert the_order(stage).status is OrderStatus.CANCELLED


def test_an_order_that_was_cancelled_before_it_came_is_not_made(stage: Stage, inbox: Inbox) -> None:
    cancelled = order(line(preview(stage)), cancelled_at="2030-01-01T11:59:00Z")
    tell(inbox, "orders/paid", cancelled)
    assert the_order(stage).status is OrderStatus.CANCELLED


def test_a_cancellation_that_comes_first_waits_for_the_order(stage: Stage, inbox: Inbox) -> None:
    document = order(line(preview(stage)))
    assert tell(inbox, "orders/cancelled", document) == "waits: no_order"
    tell(inbox, "orders/paid", document)
    assert the_order(stage).status is OrderStatus.CANCELLED


def test_a_refund_is_of_the_books_that_it_names(stage: Stage, inbox: Inbox) -> None:
    one, two = line(preview(stage)), line(preview(stage), number=1, quantity=2)
    tell(inbox, "orders/paid", order(one, two))
    tell(inbox, "refunds/create", refund((two, 1)))
    assert [found.status for found in orders(stage)] == [OrderStatus.PAID, OrderStatus.ON_HOLD]
    tell(inbox, "refunds/create", refund((two, 1), number=2))
    first, second = orders(stage)
    assert (first.status, first.payment) == (OrderStatus.PAID, PaymentState.PAID)
    assert (second.status, second.payment) == (OrderStatus.CANCELLED, PaymentState.REFUNDED)


def test_money_alone_that_goes_back_holds_all_books(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage)), line(preview(stage), number=1)))
    tell(inbox, "refunds/create", refund())
    assert {found.status for found in orders(stage)} == {OrderStatus.ON_HOLD}


def test_a_refund_of_something_else_is_none_of_ours(stage: Stage, inbox: Inbox) -> None:
    mug = line(None, number=5)
    tell(inbox, "orders/paid", order(line(preview(stage)), mug))
    assert tell(inbox, "refunds/create", refund((mug, 1))) == "not_ours"
    assert the_order(stage).status is OrderStatus.PAID


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_duplicated_and_shuffled_webhooks_end_in_one_state(
    stage: Stage, inbox: Inbox, data: st.DataObject
) -> None:
    number = next(_numbers)
    book = line(preview(stage), quantity=2)
    paid = order(book, id=ORDER + number)
    parts = [
        refund((book, 1), number=2 * number + part) | {"order_id": paid["id"]} for part in (0, 1)
    ]
    may_come = {
        "cancelled": ("orders/cancelled", paid),
        "one back": ("refunds/create", parts[0]),
        "another back": ("refunds/create", parts[1]),
    }
    told = data.draw(st.sets(st.sampled_from(sorted(may_come))), label="told")
    webhooks = [("orders/paid", paid), *(may_come[name] for name in sorted(told))]
    webhooks += data.draw(st.lists(st.sampled_from(webhooks), max_size=3), label="again")
    for topic, document in data.draw(st.permutations(webhooks), label="order"):
        tell(inbox, topic, document)
    found = next(o for o in orders(stage) if o.source_order == str(paid["id"]))
    back = len(told - {"cancelled"})
    payment = (PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED, PaymentState.REFUNDED)[back]
    if "cancelled" in told or back == 2:
        status = OrderStatus.CANCELLED
    else:
        status = OrderStatus.ON_HOLD if back else OrderStatus.PAID
    assert (found.status, found.payment) == (status, payment)


# customers' data


def compliance(**changes: Any) -> dict[str, Any]:
    customer = {"id": 8_000_000_000_000_000_017, "email": "parent@example.com"}
    return {"shop_id": 1, "shop_domain": DOMAIN, "customer": customer} | changes


def test_a_customer_is_erased(stage: Stage, inbox: Inbox) -> None:
    preview_id = preview(stage)
    tell(inbox, "orders/paid", order(line(preview_id)))
    assert tell(inbox, "customers/redact", compliance()) == "applied"
    found = the_order(stage)
    assert (found.email, found.address, found.customer_id) == (None, None, None)
    assert found.status is OrderStatus.CANCELLED
    with reading(inbox.engine) as session:
        assert session.get_one(Preview, preview_id).erased_at is not None


def test_another_customer_stays(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage))))
    other = compliance(customer={"id": 5, "email": "other@example.com"})
    assert tell(inbox, "customers/redact", other) == "applied"
    assert the_order(stage).email == "parent@example.com"


def test_a_shop_s_customers_are_erased(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", order(line(preview(stage))))
    assert tell(inbox, "shop/redact", {"shop_id": 1, "shop_domain": DOMAIN}) == "applied"
    assert the_order(stage).erased_at is not None


def without_a_name(preview_id: str, **changes: Any) -> dict[str, Any]:
    """An order of somebody who gave a telephone number only."""
    return order(line(preview_id), customer=None, email=None, **changes)


def test_an_order_without_a_customer_is_erased_with_its_shop(stage: Stage, inbox: Inbox) -> None:
    preview_id = preview(stage)
    tell(inbox, "orders/paid", without_a_name(preview_id))
    assert the_order(stage).address is not None
    assert tell(inbox, "shop/redact", {"shop_id": 1, "shop_domain": DOMAIN}) == "applied"
    found = the_order(stage)
    assert (found.address, found.erased_at is not None) == (None, True)
    with reading(inbox.engine) as session:
        assert session.get_one(Preview, preview_id).erased_at is not None
        (removal,) = session.query(Removal).filter_by(kind="order")
    assert removal.subject == found.order_id


def test_an_order_without_a_customer_is_erased_by_its_id(stage: Stage, inbox: Inbox) -> None:
    tell(inbox, "orders/paid", without_a_name(preview(stage)))
    other = order(line(preview(stage), number=1), id=ORDER + 2)
    tell(inbox, "orders/paid", other)
    request = compliance(customer={"id": 5, "email": None}, orders_to_redact=[ORDER])
    assert tell(inbox, "customers/redact", request) == "applied"
    assert [found.address is None for found in orders(stage)] == [True, False]


def test_what_is_told_includes_orders_that_are_asked_for(
    stage: Stage, inbox: Inbox, courier: FakeCourier
) -> None:
    tell(inbox, "orders/paid", without_a_name(preview(stage)))
    request = compliance(customer=None, orders_requested=[ORDER])
    assert tell(inbox, "customers/data_request", request) == "applied"
    ((_, _, body),) = courier.delivered
    assert [told["source_order"] for told in json.loads(body)["data"]["orders"]] == [str(ORDER)]


def test_a_shop_without_a_webhook_leaves_the_request_to_a_person(
    stage: Stage, inbox: Inbox, courier: FakeCourier, caplog: pytest.LogCaptureFixture
) -> None:
    change_shop(inbox.engine, "acme", {"webhook_url": None, "webhook_secret": None})
    told = tell(inbox, "customers/data_request", compliance())
    assert told == "failed: no_webhook"
    (record,) = [r for r in caplog.records if r.message == "message given up"]
    assert (record.levelname, record.__dict__["topic"]) == ("ERROR", "customers/data_request")
    (item,) = undone(inbox.engine)
    url: dict[str, object] = {
        "webhook_url": "https://acme.test/late",
        "webhook_secret": "whsec_c2VjcmV0",
    }
    change_shop(inbox.engine, "acme", url)
    assert replay(inbox.engine, inbox.clock, SHOPIFY, item.message_id)
    inbox.work_due()
    assert [url for url, *_ in courier.delivered] == ["https://acme.test/late"]


def test_the_shop_is_told_what_is_stored(stage: Stage, inbox: Inbox, courier: FakeCourier) -> None:
    preview_id = preview(stage)
    tell(inbox, "orders/paid", order(line(preview_id)))
    assert tell(inbox, "customers/data_request", compliance()) == "applied"
    ((url, message_id, body),) = courier.delivered
    document = json.loads(body)
    assert (url, document["type"]) == ("https://acme.test/hooks", "customer.data")
    assert message_id.startswith("webhook-")
    assert [found["email"] for found in document["data"]["orders"]] == ["parent@example.com"]
    assert [found["preview_id"] for found in document["data"]["previews"]] == [preview_id]


def test_a_shop_that_cannot_be_told_keeps_the_request_open(
    stage: Stage, inbox: Inbox, courier: FakeCourier, clock: MovableClock
) -> None:
    courier.fail_with = OSError()
    tell(inbox, "customers/data_request", compliance())
    clock.move(minutes=1)
    courier.fail_with = None
    inbox.work_due()
    assert len(courier.delivered) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shop_domain": "other.myshopify.com"}, "wrong_shop"),
        ({"customer": None}, "no_customer"),
        ({"customer": {"id": None, "email": "nobody"}}, "no_customer"),
        ({"shop_domain": None}, "form"),
    ],
)
def test_a_request_about_nobody_is_kept_for_a_person(
    inbox: Inbox, changes: dict[str, Any], reason: str
) -> None:
    assert tell(inbox, "customers/redact", compliance(**changes)) == f"failed: {reason}"
