"""Stripe as its documentation tells it, as far as we use it: an ASGI application, and its events.

A request of one ``Idempotency-Key`` is done once, and its answer repeated, errors of the server
too; with other parameters it is refused. Lists come in pages, the newest first.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.adapters.stripe_payments import StripePayments
from gateway.stripe_events import EVENT_TYPES
from tests.gateway.live_server import served

KEY = "sk_live_fake"
SECRET = "whsec_stripe"
_HALF_HOUR, _DAY = 1800, 86_400
_ids = itertools.count(1)


@dataclass
class FakeStripe:
    """What Stripe knows, what it was asked, and what it is to do wrong."""

    now: Callable[[], datetime]
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    user_agents: list[dict[str, str]] = field(default_factory=list)
    fail_next: list[int] = field(default_factory=list)
    page_size: int = 100
    _answered: dict[str, tuple[dict[str, str], int, Any]] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The application, to be put on a socket."""
        return Starlette(
            routes=[
                Route("/v1/checkout/sessions", self._create, methods=["POST"]),
                Route("/v1/checkout/sessions/{session_id}", self._read),
                Route("/v1/events", self._list),
            ]
        )

    def pay(self, session_id: str, **changes: Any) -> dict[str, Any]:
        """The parent pays; return the session as it is then."""
        session = self.sessions[session_id]
        session |= paid(session) | changes
        return session

    async def _create(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        told = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        self.requests.append(told)
        self.user_agents.append(json.loads(request.headers["x-stripe-client-user-agent"]))
        key = request.headers["idempotency-key"]
        if key in self._answered:
            before, status, answer = self._answered[key]
            if before != told:
                return _error(400, "idempotency_error", "idempotency_key_in_use")
            return JSONResponse(answer, status, {"Idempotent-Replayed": "true"})
        status, answer = self._opened(told)
        self._answered[key] = (told, status, answer)
        return JSONResponse(answer, status)

    def _opened(self, told: dict[str, str]) -> tuple[int, Any]:
        if self.fail_next:
            return self.fail_next.pop(0), {"error": {"type": "api_error", "message": "Oops"}}
        price = "line_items[0][price_data]"
        needed = {"mode", "success_url", "line_items[0][quantity]", f"{price}[currency]"}
        now = self.now().timestamp()
        closes_at = int(told.get("expires_at", now + _DAY))
        wrong = (
            needed - set(told)
            or not told[f"{price}[currency]"].islower()
            or not now + _HALF_HOUR <= closes_at <= now + _DAY
            or not told["shipping_address_collection[allowed_countries][0]"].isupper()
        )
        if wrong:
            return 400, {"error": {"type": "invalid_request_error", "message": "Invalid"}}
        quantity = int(told["line_items[0][quantity]"])
        session = checkout_session(
            f"cs_live_{next(_ids)}",
            preview_id=told["metadata[preview_id]"],
            amount=quantity * int(told[f"{price}[unit_amount]"]),
            currency=told[f"{price}[currency]"],
            expires_at=closes_at,
        )
        self.sessions[session["id"]] = session
        return 200, session

    async def _read(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.fail_next:
            return _error(self.fail_next.pop(0), "api_error", None)
        session = self.sessions.get(request.path_params["session_id"])
        if session is None:
            return _error(404, "invalid_request_error", "resource_missing")
        return JSONResponse(session)

    async def _list(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        query = request.query_params
        wanted = {value for name, value in query.multi_items() if name.startswith("types[")}
        found = [
            event
            for event in reversed(self.events)
            if event["created"] >= int(query["created[gte]"])
            and event["type"] in wanted
            and query["delivery_success"] == "false"
        ]
        if after := query.get("starting_after"):
            found = found[[event["id"] for event in found].index(after) + 1 :]
        page = found[: self.page_size]
        return JSONResponse(
            {"object": "list", "url": "/v1/events", "data": page, "has_more": found != page}
        )

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "invalid_request_error", None)
        return None


@contextmanager
def payments_at(stripe: FakeStripe) -> Iterator[StripePayments]:
    """What talks to this Stripe, over a socket, by Stripe's own library."""
    with served(stripe.app()) as url:
        payments = StripePayments(
            api_key=KEY,
            api_url=url,
            success_url="https://shop.test/thanks?session={CHECKOUT_SESSION_ID}",
            cancel_url="https://shop.test/",
            countries=("US", "GB"),
            event_types=EVENT_TYPES,
        )
        yield payments
        payments.close()


def checkout_session(
    session_id: str, *, preview_id: str | None, amount: int = 3900, **changes: Any
) -> dict[str, Any]:
    """A Checkout Session that is open."""
    session = {
        "id": session_id,
        "object": "checkout.session",
        "url": f"https://checkout.stripe.test/c/pay/{session_id}",
        "mode": "payment",
        "livemode": True,
        "status": "open",
        "payment_status": "unpaid",
        "amount_total": amount,
        "currency": "usd",
        "client_reference_id": preview_id,
        "metadata": {"preview_id": preview_id} if preview_id else {},
        "payment_intent": None,
        "customer": None,
        "customer_details": None,
        "collected_information": None,
    }
    return session | changes


def paid(session: dict[str, Any]) -> dict[str, Any]:
    """What changes in a session when it is paid."""
    return {
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": f"pi_{session['id']}",
        "customer_details": {"email": "parent@example.com", "phone": "+442079460000"},
        "collected_information": {
            "shipping_details": {
                "name": "Ada Lovelace",
                "address": {
                    "line1": "12 St James's Square",
                    "line2": None,
                    "city": "London",
                    "state": None,
                    "postal_code": "SW1Y 4JH",
                    "country": "GB",
                },
            }
        },
    }


def event(kind: str, told: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An event of Stripe's about an object."""
    document = {
        "id": f"evt_{next(_ids)}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "type": kind,
        "created": int(datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp()),
        "livemode": True,
        "pending_webhooks": 1,
        "data": {"object": told},
    }
    return document | changes


def charge(payment: str, *, refunded: int, amount: int = 3900) -> dict[str, Any]:
    """A charge, some of which was refunded."""
    return {
        "id": f"ch_{payment}",
        "object": "charge",
        "payment_intent": payment,
        "amount": amount,
        "amount_refunded": refunded,
        "refunded": refunded >= amount,
    }


def refund(payment: str, *, amount: int, number: int = 1, status: str = "succeeded") -> Any:
    """One refund of a payment."""
    return {
        "id": f"re_{payment}_{number}",
        "object": "refund",
        "payment_intent": payment,
        "amount": amount,
        "status": status,
    }


def dispute(payment: str, status: str, number: int = 1) -> dict[str, Any]:
    """A dispute of a payment."""
    return {
        "id": f"dp_{payment}_{number}",
        "object": "dispute",
        "payment_intent": payment,
        "status": status,
    }


def text(document: dict[str, Any]) -> str:
    """An event as Stripe writes it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def signature(body: str, secret: str = SECRET, *, age_s: float = 0) -> str:
    """The header by which Stripe signs a body, made by its own library."""
    moment = int(time.time() - age_s)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, moment)
    assert isinstance(header, str)
    return header


def _error(status: int, kind: str, code: str | None) -> Response:
    return JSONResponse({"error": {"type": kind, "code": code, "message": "No"}}, status)
