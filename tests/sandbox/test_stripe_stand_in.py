"""Stripe's stand-in, asked by the adapter that asks Stripe."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stripe

from gateway.adapters.stripe_payments import StripePayments
from gateway.ports import PaymentsError, Sale
from gateway.stripe_events import EVENT_TYPES, Event, PaidSession
from sandbox.stripe_stand_in.app import StripeStandIn
from sandbox.stripe_stand_in.settings import InvalidSettings, Settings
from tests.gateway.live_server import served

ENVIRONMENT = {
    "SANDBOX_STRIPE_KEY": "sk_test_1",
    "SANDBOX_STRIPE_WEBHOOK_SECRET": "whsec_1",
    "SANDBOX_STRIPE_WEBHOOK_URL": "http://gateway.test/webhooks/stripe",
}
SALE = Sale(
    preview_id="0" * 32,
    title="Fox & <Friends>",
    quantity=2,
    unit_amount=3900,
    currency="USD",
    email="ada@example.com",
    closes_at=None,
    idempotency_key="checkout-1",
)


class Endpoint:
    """A gateway's webhook endpoint; ``status`` is its answer."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.heard.append(request)
        return httpx.Response(self.status)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def stand_in(endpoint: Endpoint) -> StripeStandIn:
    client = httpx.AsyncClient(transport=httpx.MockTransport(endpoint))
    return StripeStandIn(Settings.from_environment(ENVIRONMENT), client)


@pytest.fixture
def url(stand_in: StripeStandIn) -> Iterator[str]:
    with served(stand_in.app()) as url:
        yield url


@pytest.fixture
def payments(url: str) -> Iterator[StripePayments]:
    yield from asked_by(url, "sk_test_1")


def asked_by(url: str, key: str) -> Iterator[StripePayments]:
    payments = StripePayments(
        api_key=key,
        api_url=url,
        success_url="https://shop.test/?checkout={CHECKOUT_SESSION_ID}",
        cancel_url="https://shop.test/",
        countries=("US",),
        event_types=EVENT_TYPES,
    )
    yield payments
    payments.close()


def session_of(payments: StripePayments, session_id: str) -> PaidSession:
    return PaidSession.model_validate(payments.session(session_id))


def test_a_session_is_open_until_it_is_paid(payments: StripePayments) -> None:
    session_id, page = payments.create_session(SALE)
    before = session_of(payments, session_id)
    httpx.post(page)
    after = session_of(payments, session_id)
    assert (before.status, before.is_paid, before.payment_intent) == ("open", False, None)
    assert (after.status, after.is_paid, after.livemode) == ("complete", True, False)
    assert (after.amount_total, after.currency) == (7800, "usd")
    assert after.metadata == {"preview_id": "0" * 32}
    assert after.payment_intent


def test_one_idempotency_key_opens_one_session(payments: StripePayments) -> None:
    assert payments.create_session(SALE) == payments.create_session(SALE)


def test_paying_sends_one_signed_event_and_leads_back(
    payments: StripePayments, endpoint: Endpoint
) -> None:
    session_id, page = payments.create_session(SALE)
    paid = httpx.post(page, data={"name": "Ada Lovelace", "unknown": "field"})
    again = httpx.post(page)
    (heard,) = endpoint.heard
    stripe.WebhookSignature.verify_header(
        heard.content.decode(), heard.headers["stripe-signature"], "whsec_1", 300
    )
    event = Event.model_validate_json(heard.content)
    assert event.type == "checkout.session.completed"
    assert event.data.object == payments.session(session_id)
    assert event.data.object["collected_information"]["shipping_details"]["name"] == "Ada Lovelace"
    for answer in (paid, again):
        assert answer.status_code == 303
        assert answer.headers["location"] == f"https://shop.test/?checkout={session_id}"


def missed(payments: StripePayments) -> list[dict[str, Any]]:
    return list(payments.missed_events(datetime.now(UTC) - timedelta(days=1)))


@pytest.mark.parametrize(("status", "listed"), [(200, 0), (503, 1)])
def test_an_event_that_nobody_took_is_listed(
    payments: StripePayments, endpoint: Endpoint, status: int, listed: int
) -> None:
    endpoint.status = status
    httpx.post(payments.create_session(SALE)[1])
    assert len(missed(payments)) == listed


def test_the_page_says_what_is_paid_and_that_no_money_moves(payments: StripePayments) -> None:
    page = httpx.get(payments.create_session(SALE)[1]).text
    assert "2 × Fox &amp; &lt;Friends&gt;" in page
    assert "78.00 USD" in page
    assert 'value="ada@example.com"' in page
    assert "No money moves." in page


def test_a_session_whose_time_is_over_cant_be_paid(
    payments: StripePayments, stand_in: StripeStandIn, endpoint: Endpoint
) -> None:
    session_id, page = payments.create_session(SALE)
    later = stand_in.clock() + 25 * 3600
    stand_in.clock = lambda: later
    assert httpx.get(page).status_code == httpx.post(page).status_code == 404
    assert session_of(payments, session_id).status == "expired"
    assert endpoint.heard == []


def test_an_unknown_session_is_none(payments: StripePayments) -> None:
    assert payments.session("cs_test_other") is None


def test_another_key_is_refused(url: str) -> None:
    for payments in asked_by(url, "sk_test_2"):
        with pytest.raises(PaymentsError, match="401"):
            payments.create_session(SALE)
        with pytest.raises(PaymentsError, match="401"):
            payments.session("cs_test_1")
        with pytest.raises(PaymentsError, match="401"):
            missed(payments)


def test_a_request_without_a_price_is_refused(url: str) -> None:
    answer = httpx.post(
        f"{url}/v1/checkout/sessions",
        data={"mode": "payment", "line_items[0][quantity]": "1"},
        headers={"Authorization": "Bearer sk_test_1"},
    )
    assert answer.status_code == 400
    assert "line_items[0][price_data][unit_amount]" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_environment({**ENVIRONMENT, name: ""})
