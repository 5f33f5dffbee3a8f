"""Stripe Checkout through Stripe's own library, against a server that keeps Stripe's rules."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.adapters.stripe_payments import StripePayments
from gateway.ports import PaymentsError, Sale
from gateway.stripe_events import EVENT_TYPES
from tests.gateway import fake_stripe
from tests.gateway.fake_stripe import FakeStripe, charge, event
from tests.gateway.live_server import served

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def stripe() -> FakeStripe:
    return FakeStripe(now=lambda: NOW)


@pytest.fixture
def url(stripe: FakeStripe) -> Iterator[str]:
    with served(stripe.app()) as url:
        yield url


@pytest.fixture
def payments(url: str) -> Iterator[StripePayments]:
    yield from opened(url)


def opened(url: str, key: str = fake_stripe.KEY) -> Iterator[StripePayments]:
    payments = StripePayments(
        api_key=key,
        api_url=f"{url}/",
        success_url="https://shop.test/thanks?session={CHECKOUT_SESSION_ID}",
        cancel_url="https://shop.test/",
        countries=("US", "GB"),
        event_types=EVENT_TYPES,
    )
    yield payments
    payments.close()


def sale(**changes: object) -> Sale:
    fields = {
        "preview_id": "0" * 32,
        "title": "The Moonlit Fox",
        "quantity": 2,
        "unit_amount": 3900,
        "currency": "USD",
        "email": "parent@example.com",
        "closes_at": None,
        "idempotency_key": "checkout-1",
    }
    return Sale(**{**fields, **changes})  # type: ignore[arg-type]


def test_stripe_hears_nothing_of_the_machine(payments: StripePayments, stripe: FakeStripe) -> None:
    payments.create_session(sale())
    (agent,) = stripe.user_agents
    assert agent["lang"] == "python"
    assert not {"telemetry_id", "platform"} & agent.keys()


def test_a_session_is_opened_with_all_that_the_order_needs(
    payments: StripePayments, stripe: FakeStripe
) -> None:
    session_id, url = payments.create_session(sale())
    assert url == stripe.sessions[session_id]["url"]
    (told,) = stripe.requests
    price = "line_items[0][price_data]"
    assert told == {
        "mode": "payment",
        "success_url": "https://shop.test/thanks?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/",
        "client_reference_id": "0" * 32,
        "metadata[preview_id]": "0" * 32,
        "payment_intent_data[metadata][preview_id]": "0" * 32,
        "line_items[0][quantity]": "2",
        f"{price}[currency]": "usd",
        f"{price}[unit_amount]": "3900",
        f"{price}[product_data][name]": "The Moonlit Fox",
        "shipping_address_collection[allowed_countries][0]": "US",
        "shipping_address_collection[allowed_countries][1]": "GB",
        "phone_number_collection[enabled]": "true",
        "adaptive_pricing[enabled]": "false",
        "customer_email": "parent@example.com",
    }


def test_the_same_sale_twice_opens_one_session(
    payments: StripePayments, stripe: FakeStripe
) -> None:
    assert payments.create_session(sale()) == payments.create_session(sale())
    assert len(stripe.sessions) == 1


def test_a_session_closes_when_it_is_told_to(payments: StripePayments, stripe: FakeStripe) -> None:
    closes_at = NOW + timedelta(hours=2)
    session_id, _ = payments.create_session(sale(closes_at=closes_at))
    assert stripe.sessions[session_id]["expires_at"] == closes_at.timestamp()


def test_one_key_for_two_sales_is_refused(payments: StripePayments) -> None:
    payments.create_session(sale())
    with pytest.raises(PaymentsError, match=r"IdempotencyError \(400\)"):
        payments.create_session(sale(quantity=3))


def test_an_error_repeats_nothing_that_was_sent(payments: StripePayments) -> None:
    with pytest.raises(PaymentsError) as caught:
        payments.create_session(sale(closes_at=NOW))
    assert str(caught.value) == "InvalidRequestError (400)"


def test_a_server_that_fails_is_asked_again_and_then_given_up(
    payments: StripePayments, stripe: FakeStripe
) -> None:
    stripe.fail_next = [500]
    with pytest.raises(PaymentsError, match="APIError"):
        payments.create_session(sale())
    assert len(stripe.requests) == 3, "an answer to a key is repeated, errors too"


def test_a_server_that_cannot_be_reached_is_an_error() -> None:
    (payments,) = opened("http://127.0.0.1:9")
    with pytest.raises(PaymentsError, match="APIConnectionError"):
        payments.create_session(sale())


def test_a_key_that_stripe_does_not_know_is_an_error(url: str) -> None:
    (payments,) = opened(url, "sk_live_other")
    with pytest.raises(PaymentsError, match="AuthenticationError"):
        payments.session("cs_1")


def test_a_session_is_told_as_events_tell_it(payments: StripePayments, stripe: FakeStripe) -> None:
    session_id, _ = payments.create_session(sale())
    assert payments.session(session_id) == stripe.sessions[session_id]


def test_a_session_that_is_not_there_is_none(payments: StripePayments) -> None:
    assert payments.session("cs_nobody") is None


def test_missed_events_come_from_all_pages(payments: StripePayments, stripe: FakeStripe) -> None:
    stripe.page_size = 2
    stripe.events = [event("charge.refunded", charge("pi_1", refunded=n)) for n in range(5)]
    found = list(payments.missed_events(NOW - timedelta(days=1)))
    assert found == list(reversed(stripe.events))


def test_events_of_before_and_of_no_interest_are_not_asked_for(
    payments: StripePayments, stripe: FakeStripe
) -> None:
    stripe.events = [event("charge.refunded", {}), event("customer.created", {})]
    assert len(list(payments.missed_events(NOW))) == 1
    assert list(payments.missed_events(NOW + timedelta(seconds=1))) == []


def test_missed_events_that_cannot_be_asked_for_are_an_error(url: str) -> None:
    (payments,) = opened(url, "sk_live_other")
    with pytest.raises(PaymentsError):
        list(payments.missed_events(NOW))
