"""Stripe's events and orders: one payment is one order, and its money is followed, in any order."""

import itertools
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway import order_book
from gateway.inbox import Inbox
from gateway.order_records import Checkout, InboxItem, Order, OutboxItem, PaymentState
from gateway.orders import OrderStatus
from gateway.records import Preview, reading, writing
from gateway.stripe_events import Event, PaidSession, message_of
from tests.gateway import fake_stripe
from tests.gateway.fake_stripe import charge, checkout_session, dispute, event, paid, refund
from tests.gateway.fakes import MovableClock
from tests.gateway.rendering import Stage

PRICE = 3900
_numbers = itertools.count(1)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"RATE_PREVIEWS": "off"}


@pytest.fixture
def inbox(stage: Stage) -> Inbox:
    return stage.services.sales.inbox


def checkout(stage: Stage, preview_id: str | None = None, **changes: Any) -> str:
    """A page where a preview's book is paid; return the session's id."""
    session_id = f"cs_live_{next(_numbers)}"
    fields = {
        "session_id": session_id,
        "preview_id": preview_id or stage.order().preview_id,
        "quantity": 1,
        "amount": PRICE,
        "currency": "USD",
        "url": "https://checkout.stripe.test/",
        "created_at": stage.services.clock.now(),
    }
    with writing(stage.services.engine) as session:
        session.add(Checkout(**{**fields, **changes}))
    return session_id


def session_of(stage: Stage, session_id: str, **changes: Any) -> dict[str, Any]:
    """The session as it is once it is paid."""
    with reading(stage.services.engine) as session:
        opened = session.get(Checkout, session_id)
    preview_id = opened.preview_id if opened else None
    document = checkout_session(session_id, preview_id=preview_id, amount=PRICE)
    return document | paid(document) | changes


def paid_event(stage: Stage, session_id: str, **changes: Any) -> dict[str, Any]:
    return event("checkout.session.completed", session_of(stage, session_id, **changes))


def tell(inbox: Inbox, *documents: dict[str, Any]) -> None:
    """Events come in, and are handled."""
    inbox.record(
        [message_of(Event.model_validate(each), fake_stripe.text(each)) for each in documents]
    )
    while inbox.work_due():
        pass


def orders(stage: Stage, session_id: str) -> list[Order]:
    with reading(stage.services.engine) as session:
        return list(session.scalars(select(Order).where(Order.source_id == session_id)))


def the_order(stage: Stage, session_id: str) -> Order:
    (order,) = orders(stage, session_id)
    return order


def outcome(inbox: Inbox, document: dict[str, Any]) -> str | None:
    with reading(inbox.engine) as session:
        return session.get_one(InboxItem, ("stripe", document["id"])).outcome


# what is paid becomes an order


def test_a_paid_session_becomes_an_order(stage: Stage, inbox: Inbox) -> None:
    preview_id = stage.order().preview_id
    session_id = checkout(stage, preview_id, quantity=2, amount=2 * PRICE)
    tell(inbox, paid_event(stage, session_id, amount_total=2 * PRICE))
    order = the_order(stage, session_id)
    assert order.status is OrderStatus.PAID
    assert order.run_due_at == stage.services.clock.now()
    assert (order.preview_id, order.quantity, order.amount) == (preview_id, 2, 2 * PRICE)
    assert (order.currency, order.payment_id) == ("USD", f"pi_{session_id}")
    assert (order.email, order.test, order.shop_id) == ("parent@example.com", False, "default")
    assert order.paid_at == datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert order.address == {
        "name": "Ada Lovelace",
        "line1": "12 St James's Square",
        "line2": "",
        "city": "London",
        "state": "",
        "postcode": "SW1Y 4JH",
        "country": "GB",
        "phone": "+442079460000",
    }


def test_a_payment_that_arrives_later_becomes_an_order_then(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    waiting = paid_event(stage, session_id, payment_status="unpaid")
    tell(inbox, waiting)
    assert orders(stage, session_id) == []
    assert outcome(inbox, waiting) == "not_paid"
    session = session_of(stage, session_id)
    tell(inbox, event("checkout.session.async_payment_succeeded", session))
    assert the_order(stage, session_id).status is OrderStatus.PAID


def test_what_a_coupon_paid_for_becomes_an_order(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    free = {
        "payment_status": "no_payment_required",
        "payment_intent": None,
        "amount_total": 0,
        "total_details": {"amount_discount": PRICE},
    }
    tell(inbox, paid_event(stage, session_id, **free))
    order = the_order(stage, session_id)
    assert (order.status, order.amount, order.payment_id) == (OrderStatus.PAID, 0, None)


@pytest.mark.parametrize(
    "kind", ["checkout.session.async_payment_failed", "checkout.session.expired", "price.created"]
)
def test_what_tells_of_no_payment_is_noted(stage: Stage, inbox: Inbox, kind: str) -> None:
    session_id = checkout(stage)
    document = event(kind, session_of(stage, session_id, payment_status="unpaid"))
    tell(inbox, document)
    assert outcome(inbox, document) == "noted"
    assert orders(stage, session_id) == []


def test_an_older_api_tells_the_address_elsewhere(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    session = session_of(stage, session_id)
    session["shipping_details"] = session.pop("collected_information")["shipping_details"]
    tell(inbox, event("checkout.session.completed", session))
    assert (the_order(stage, session_id).address or {})["city"] == "London"


def test_webhook_and_redirect_at_once_make_one_order(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    found = PaidSession.model_validate(session_of(stage, session_id))
    start = threading.Barrier(4)
    said: list[str] = []

    def fulfil() -> None:
        start.wait()
        events = stage.services.sales.till.events
        said.append(events.fulfil(found, stage.services.clock.now()))

    threads = [threading.Thread(target=fulfil) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["known", "known", "known", "order"]
    assert the_order(stage, session_id).status is OrderStatus.PAID


def test_a_sale_that_is_nothing_of_ours_makes_no_order(stage: Stage, inbox: Inbox) -> None:
    """The same Stripe account may sell other things."""
    document = paid_event(stage, "cs_of_a_mug")
    tell(inbox, document)
    assert outcome(inbox, document) == "not_ours"
    assert orders(stage, "cs_of_a_mug") == []


# what isn't as it should be is an order that waits for the desk


def parked(stage: Stage, session_id: str) -> str | None:
    order = the_order(stage, session_id)
    assert order.status is OrderStatus.NEEDS_ATTENTION
    assert order.run_due_at is None
    return order.parked_reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"amount_total": 1}, "wrong_amount"),
        ({"amount_total": None}, "wrong_amount"),
        ({"currency": "vnd"}, "wrong_currency"),
        ({"metadata": {"preview_id": "0" * 32}}, "wrong_preview"),
        ({"metadata": {}}, "wrong_preview"),
        ({"collected_information": None}, "address_missing"),
    ],
)
def test_what_was_paid_is_compared_with_what_was_to_be_paid(
    stage: Stage, inbox: Inbox, wrong: dict[str, Any], reason: str
) -> None:
    session_id = checkout(stage)
    tell(inbox, paid_event(stage, session_id, **wrong))
    assert parked(stage, session_id) == reason


def test_a_session_that_we_did_not_open_waits_for_the_desk(stage: Stage, inbox: Inbox) -> None:
    session = checkout_session("cs_unknown", preview_id=stage.order().preview_id)
    tell(inbox, event("checkout.session.completed", session | paid(session)))
    assert parked(stage, "cs_unknown") == "unknown_checkout"


def test_a_payment_for_an_expired_preview_waits_for_the_desk(
    stage: Stage, inbox: Inbox, clock: MovableClock
) -> None:
    session_id = checkout(stage)
    clock.move(days=8)
    tell(inbox, paid_event(stage, session_id))
    assert parked(stage, session_id) == "preview_gone"
    assert the_order(stage, session_id).preview_id is None


def test_a_payment_for_an_erased_preview_waits_for_the_desk(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    with writing(stage.services.engine) as session:
        opened = session.get_one(Checkout, session_id)
        session.get_one(Preview, opened.preview_id).erased_at = stage.services.clock.now()
    tell(inbox, paid_event(stage, session_id))
    assert parked(stage, session_id) == "preview_gone"


def test_a_test_payment_makes_no_order(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    document = paid_event(stage, session_id, livemode=False) | {"livemode": False}
    tell(inbox, document)
    assert outcome(inbox, document) == "test_mode"
    assert orders(stage, session_id) == []


@pytest.mark.parametrize(
    "told", [{"id": "cs_1"}, {"id": 7, "payment_status": "paid", "livemode": True}]
)
def test_a_session_of_another_form_is_kept_for_a_person(
    stage: Stage, inbox: Inbox, told: dict[str, Any]
) -> None:
    document = event("checkout.session.completed", told)
    tell(inbox, document)
    assert outcome(inbox, document) == "failed: form"


# money that goes back


def payment_of(session_id: str) -> str:
    return f"pi_{session_id}"


def bought(stage: Stage, inbox: Inbox) -> str:
    session_id = checkout(stage)
    tell(inbox, paid_event(stage, session_id))
    return session_id


def state(stage: Stage, session_id: str) -> tuple[OrderStatus, PaymentState, str | None]:
    order = the_order(stage, session_id)
    return order.status, order.payment, order.hold_reason


def test_a_full_refund_cancels_the_order(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    tell(inbox, event("charge.refunded", charge(payment_of(session_id), refunded=PRICE)))
    assert state(stage, session_id) == (OrderStatus.CANCELLED, PaymentState.REFUNDED, None)


def test_a_part_of_it_holds_the_order(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    tell(inbox, event("refund.created", refund(payment_of(session_id), amount=500)))
    assert state(stage, session_id) == (
        OrderStatus.ON_HOLD,
        PaymentState.PARTIALLY_REFUNDED,
        "partially_refunded",
    )


def test_two_parts_that_are_all_of_it_cancel_the_order(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    payment = payment_of(session_id)
    tell(inbox, event("refund.created", refund(payment, amount=3000, number=1)))
    tell(inbox, event("refund.created", refund(payment, amount=900, number=2)))
    assert the_order(stage, session_id).status is OrderStatus.CANCELLED


def test_a_refund_that_is_told_in_three_ways_counts_once(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    payment = payment_of(session_id)
    half = refund(payment, amount=PRICE // 2)
    tell(inbox, event("refund.created", half), event("refund.updated", half))
    tell(inbox, event("charge.refunded", charge(payment, refunded=PRICE // 2)))
    assert the_order(stage, session_id).payment is PaymentState.PARTIALLY_REFUNDED


def test_a_hold_that_the_desk_took_away_stays_away_until_more_goes_back(
    stage: Stage, inbox: Inbox
) -> None:
    session_id = bought(stage, inbox)
    payment = payment_of(session_id)
    tell(inbox, event("refund.created", refund(payment, amount=500)))
    with writing(inbox.engine) as session:
        order = order_book.lock_order(session, the_order(stage, session_id).order_id)
        assert order
        order_book.release(session, order, stage.services.clock.now(), actor="ada")
    tell(inbox, event("charge.refunded", charge(payment, refunded=500)))
    assert the_order(stage, session_id).status is OrderStatus.PAID
    tell(inbox, event("refund.created", refund(payment, amount=500, number=2)))
    assert the_order(stage, session_id).status is OrderStatus.ON_HOLD


def test_a_dispute_holds_the_order_and_a_won_one_lets_it_go_on(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    payment = payment_of(session_id)
    tell(inbox, event("charge.dispute.created", dispute(payment, "needs_response")))
    assert state(stage, session_id) == (OrderStatus.ON_HOLD, PaymentState.DISPUTED, "disputed")
    tell(inbox, event("charge.dispute.closed", dispute(payment, "won")))
    assert state(stage, session_id) == (OrderStatus.PAID, PaymentState.PAID, None)
    assert the_order(stage, session_id).run_due_at is not None


def test_a_lost_dispute_cancels_the_order(stage: Stage, inbox: Inbox) -> None:
    session_id = bought(stage, inbox)
    payment = payment_of(session_id)
    tell(inbox, event("charge.dispute.created", dispute(payment, "needs_response")))
    tell(inbox, event("charge.dispute.closed", dispute(payment, "lost")))
    assert the_order(stage, session_id).status is OrderStatus.CANCELLED


def test_a_dispute_that_ends_does_not_let_a_wrong_payment_go_on(stage: Stage, inbox: Inbox) -> None:
    session_id = checkout(stage)
    tell(inbox, paid_event(stage, session_id, amount_total=1))
    payment = payment_of(session_id)
    tell(inbox, event("charge.dispute.created", dispute(payment, "needs_response")))
    tell(inbox, event("charge.dispute.closed", dispute(payment, "won")))
    assert parked(stage, session_id) == "wrong_amount"


def test_a_refund_before_its_payment_holds_the_order_as_soon_as_it_is_there(
    stage: Stage, inbox: Inbox, clock: MovableClock
) -> None:
    session_id = checkout(stage)
    early = event("charge.refunded", charge(payment_of(session_id), refunded=PRICE))
    tell(inbox, early)
    assert outcome(inbox, early) == "waits: no_order"
    clock.move(days=2, hours=23)
    tell(inbox)
    clock.move(seconds=1)
    tell(inbox, paid_event(stage, session_id))
    assert the_order(stage, session_id).status is OrderStatus.CANCELLED
    assert outcome(inbox, early) == "applied"


def test_a_refund_of_something_else_is_given_up_after_three_days(
    stage: Stage, inbox: Inbox, clock: MovableClock
) -> None:
    document = event("charge.refunded", charge("pi_of_a_mug", refunded=100))
    tell(inbox, document)
    for _ in range(80):
        clock.move(hours=1)
        tell(inbox)
    assert outcome(inbox, document) == "gave up: no_order"


# any order, any number of times

_MONEY = {
    "part": lambda p: event("refund.created", refund(p, amount=900, number=1)),
    "part of the charge": lambda p: event("charge.refunded", charge(p, refunded=900)),
    "rest": lambda p: event("refund.created", refund(p, amount=3000, number=2)),
    "all of the charge": lambda p: event("charge.refunded", charge(p, refunded=PRICE)),
    "failed": lambda p: event("refund.failed", refund(p, amount=900, number=1, status="failed")),
    "disputed": lambda p: event("charge.dispute.created", dispute(p, "needs_response")),
    "reviewed": lambda p: event("charge.dispute.updated", dispute(p, "under_review")),
    "won": lambda p: event("charge.dispute.closed", dispute(p, "won")),
    "lost": lambda p: event("charge.dispute.closed", dispute(p, "lost", number=2)),
    "inquiry": lambda p: event(
        "charge.dispute.created", dispute(p, "warning_needs_response", number=3)
    ),
    "inquiry closed": lambda p: event(
        "charge.dispute.closed", dispute(p, "warning_closed", number=3)
    ),
}

# Stripe tells each refund by itself, and the charge's sum beside it.
_ALSO = {"part of the charge": {"part"}, "all of the charge": {"part", "rest"}}


def expected(told: set[str]) -> tuple[OrderStatus, PaymentState]:
    """What follows from what was told, whatever came first."""
    went_back = 3000 * ("rest" in told) + 900 * bool(told & {"part", "failed"})
    open_disputes = ({"disputed", "reviewed"} & told and "won" not in told) or (
        "inquiry" in told and "inquiry closed" not in told
    )
    if "lost" in told or went_back == PRICE:
        return OrderStatus.CANCELLED, PaymentState.REFUNDED
    if open_disputes:
        return OrderStatus.ON_HOLD, PaymentState.DISPUTED
    if went_back:
        return OrderStatus.ON_HOLD, PaymentState.PARTIALLY_REFUNDED
    return OrderStatus.PAID, PaymentState.PAID


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_duplicated_and_shuffled_events_end_in_one_state(
    stage: Stage, inbox: Inbox, data: st.DataObject
) -> None:
    told = data.draw(st.sets(st.sampled_from(sorted(_MONEY))), label="told")
    told |= {other for name in told for other in _ALSO.get(name, ())}
    session_id = checkout(stage)
    money = [_MONEY[name](payment_of(session_id)) for name in sorted(told)]
    documents = [paid_event(stage, session_id), *money]
    documents += data.draw(st.lists(st.sampled_from(documents), max_size=4), label="again")
    shuffled = data.draw(st.permutations(documents), label="order")
    for document in shuffled:
        tell(inbox, document)
    order = the_order(stage, session_id)
    assert (order.status, order.payment) == expected(told)
    assert (order.run_due_at is not None) == (order.status is OrderStatus.PAID)
    with reading(stage.services.engine) as session:
        confirmations = session.scalar(
            select(func.count()).where(
                OutboxItem.order_id == order.order_id, OutboxItem.event == "order_confirmed"
            )
        )
    assert confirmations == 1
