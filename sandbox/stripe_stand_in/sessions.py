"""Checkout Sessions and events, as documents in Stripe's form. Pure: times are in seconds since
the epoch, amounts in the currency's minor unit."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Self

API_VERSION: Final = "2026-10-28.endive"
_LIFE_S: Final = 86_400
_PRICE: Final = "line_items[0][price_data]"

Document = dict[str, Any]


class InvalidRequest(ValueError):
    """A parameter is missing or makes no sense; the message is its name."""


@dataclass(frozen=True)
class Buyer:
    """Who pays and where the books go. What is filled in on the page if nothing else is."""

    email: str = "parent@example.com"
    name: str = "A. Parent"
    phone: str = "+1 555 0100"
    line1: str = "1 Lantern Lane"
    city: str = "Springfield"
    state: str = "IL"
    postal_code: str = "62701"
    country: str = "US"

    @classmethod
    def read(cls, form: Mapping[str, str]) -> Self:
        """Take what a form tells, and the rest as it is."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: text for name, text in form.items() if name in names})


def opened(told: Mapping[str, str], *, pages: str, now: int) -> Document:
    """Return the session that a request asks for. Its page lies below the URL ``pages``.

    Raises:
        InvalidRequest.
    """
    session_id = f"cs_test_{secrets.token_urlsafe(24)}"
    metadata = {
        name.removeprefix("metadata[").removesuffix("]"): text
        for name, text in told.items()
        if name.startswith("metadata[")
    }
    quantity = _number(told, "line_items[0][quantity]")
    return {
        "id": session_id,
        "object": "checkout.session",
        "url": f"{pages}/{session_id}",
        "mode": _text(told, "mode"),
        "livemode": False,
        "status": "open",
        "payment_status": "unpaid",
        "created": now,
        "expires_at": _number(told, "expires_at", now + _LIFE_S),
        "amount_total": quantity * _number(told, f"{_PRICE}[unit_amount]"),
        "currency": _text(told, f"{_PRICE}[currency]"),
        "client_reference_id": told.get("client_reference_id"),
        "metadata": metadata,
        "success_url": _text(told, "success_url"),
        "cancel_url": told.get("cancel_url"),
        "customer": None,
        "customer_email": told.get("customer_email"),
        "customer_details": None,
        "collected_information": None,
        "payment_intent": None,
    }


def title_of(told: Mapping[str, str]) -> str:
    """What is sold, for the page."""
    quantity = _number(told, "line_items[0][quantity]")
    return f"{quantity} × {_text(told, f'{_PRICE}[product_data][name]')}"


def at(session: Document, now: int) -> Document:
    """The session as it is at that time: nobody can pay one whose time is over."""
    over = session["status"] == "open" and session["expires_at"] <= now
    return session | {"status": "expired"} if over else session


def paid(session: Document, buyer: Buyer) -> Document:
    """The session once ``buyer`` has paid it."""
    address = {
        "line1": buyer.line1,
        "line2": None,
        "city": buyer.city,
        "state": buyer.state or None,
        "postal_code": buyer.postal_code,
        "country": buyer.country,
    }
    return session | {
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": f"pi_{secrets.token_hex(12)}",
        "customer_details": {"email": buyer.email, "phone": buyer.phone, "name": buyer.name},
        "collected_information": {"shipping_details": {"name": buyer.name, "address": address}},
    }


def completed_event(session: Document, now: int) -> Document:
    """The event that tells of a paid session."""
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "api_version": API_VERSION,
        "type": "checkout.session.completed",
        "created": now,
        "livemode": False,
        "pending_webhooks": 1,
        "data": {"object": session},
    }


def _text(told: Mapping[str, str], name: str) -> str:
    value = told.get(name)
    if not value:
        raise InvalidRequest(name)
    return value


def _number(told: Mapping[str, str], name: str, default: int | None = None) -> int:
    if default is not None and name not in told:
        return default
    try:
        return int(_text(told, name))
    except ValueError as error:
        raise InvalidRequest(name) from error
