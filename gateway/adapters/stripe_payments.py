"""Stripe Checkout, by Stripe's own library."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, cast

import requests
import stripe
from stripe.params.checkout import SessionCreateParams

from gateway.ports import PaymentsError, Sale

_TIMEOUT_S: Final = (5.0, 15.0)
_RETRIES: Final = 2
_PAGE: Final = 100
_MISSING: Final = "resource_missing"

# Else the library keeps a number for this machine in the home folder, and sends it.
stripe.enable_telemetry = False


class StripePayments:
    """Opens Checkout Sessions and asks about them. Threads may share it.

    A parent who has paid comes back to ``success_url``, in which Stripe writes the session's id for
    ``{CHECKOUT_SESSION_ID}``; one who gave up to ``cancel_url``. Books are sent to ``countries``
    (ISO 3166-1 alpha-2) only. ``event_types`` are the events that we act upon.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_url: str,
        success_url: str,
        cancel_url: str,
        countries: Sequence[str],
        event_types: Sequence[str],
    ) -> None:
        self._session = requests.Session()
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": api_url.rstrip("/")},
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_S, session=self._session),
            max_network_retries=_RETRIES,
        )
        self._success_url = success_url
        self._cancel_url = cancel_url
        self._countries = list(countries)
        self._event_types = list(event_types)

    def create_session(self, sale: Sale) -> tuple[str, str]:
        """Open a page where the sale is paid; return the session's id and the page's URL.

        Raises:
            PaymentsError.
        """
        with _translated():
            session = self._client.v1.checkout.sessions.create(
                self._wanted(sale), {"idempotency_key": sale.idempotency_key}
            )
        if not session.url:
            raise PaymentsError("Stripe's session has no page")
        return session.id, session.url

    def session(self, session_id: str) -> dict[str, Any] | None:
        """The session as Stripe's events tell it, or None if there is none.

        Raises:
            PaymentsError.
        """
        try:
            with _translated():
                found = self._client.v1.checkout.sessions.retrieve(session_id)
        except PaymentsError as error:
            cause = error.__cause__
            if isinstance(cause, stripe.InvalidRequestError) and cause.code == _MISSING:
                return None
            raise
        return found.to_dict(for_json=True)

    def missed_events(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The events since then that didn't reach every endpoint, the newest first.

        Raises:
            PaymentsError.
        """
        with _translated():
            listed = self._client.v1.events.list(
                {
                    "delivery_success": False,
                    "created": {"gte": int(since.timestamp())},
                    "types": self._event_types,
                    "limit": _PAGE,
                }
            )
            for event in listed.auto_paging_iter():
                yield event.to_dict(for_json=True)

    def close(self) -> None:
        """End the connections."""
        self._session.close()

    def _wanted(self, sale: Sale) -> SessionCreateParams:
        wanted: SessionCreateParams = {
            "mode": "payment",
            "success_url": self._success_url,
            "cancel_url": self._cancel_url,
            "client_reference_id": sale.preview_id,
            "metadata": {"preview_id": sale.preview_id},
            "payment_intent_data": {"metadata": {"preview_id": sale.preview_id}},
            "line_items": [
                {
                    "quantity": sale.quantity,
                    "price_data": {
                        "currency": sale.currency.lower(),
                        "unit_amount": sale.unit_amount,
                        "product_data": {"name": sale.title},
                    },
                }
            ],
            "shipping_address_collection": {"allowed_countries": cast("Any", self._countries)},
            # Carriers ask for one.
            "phone_number_collection": {"enabled": True},
            # The price is the catalogue's, in its currency: the payment is compared with it.
            "adaptive_pricing": {"enabled": False},
        }
        if sale.email:
            wanted["customer_email"] = sale.email
        if sale.closes_at:
            wanted["expires_at"] = int(sale.closes_at.timestamp())
        return wanted


@contextmanager
def _translated() -> Iterator[None]:
    """Stripe's errors as ours. A message may repeat what was sent: kind and code have to do."""
    try:
        yield
    except stripe.StripeError as error:
        status = error.http_status or "no answer"
        code = error.code or ""
        raise PaymentsError(f"{type(error).__name__} ({status}) {code}".rstrip()) from error
