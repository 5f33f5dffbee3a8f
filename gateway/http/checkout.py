"""Buying a book: opening Stripe's page, and whether it was paid."""

from typing import Annotated

import anyio.to_thread
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from contract.types import Identifier
from gateway.checkout import CheckoutState
from gateway.errors import Problem
from gateway.http.auth import require_token
from gateway.http.bodies import idempotency_key, read_json
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.mail_message import mail_address
from gateway.schema import Dedication
from gateway.services import Services

MOST_BOOKS = 10
_PRIVATE = {"Cache-Control": "private, no-store"}
_RETRY_AFTER_S = "2"


class CheckoutRequest(BaseModel):
    """Buy the book of a preview. ``email`` is filled in on Stripe's page; ``dedication`` is printed
    beneath the book's title, at most 140 characters in at most 4 lines."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    preview_id: Identifier
    quantity: int = Field(default=1, ge=1, le=MOST_BOOKS)
    email: Annotated[str, Field(max_length=320), AfterValidator(mail_address)] | None = None
    dedication: Dedication | None = None


class CheckoutOpened(BaseModel):
    """A page where the book is paid: send the parent to ``checkout_url``. ``amount`` is in the
    currency's minor unit."""

    session_id: str
    checkout_url: str
    status_url: str
    preview_id: str
    quantity: int
    amount: int
    currency: str


class CheckoutStatus(BaseModel):
    """What became of a checkout; ``order_id`` once it is paid."""

    session_id: str
    status: CheckoutState
    order_id: str | None = None


async def post_checkout(request: Request) -> Response:
    """Open a page where the book is paid."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    wanted = await read_json(request, CheckoutRequest)
    if preview_id != wanted.preview_id:
        raise Problem("preview_unknown")
    checkout = await anyio.to_thread.run_sync(
        services.sales.till.open,
        wanted.preview_id,
        wanted.quantity,
        wanted.email,
        wanted.dedication,
        idempotency_key(request),
    )
    base = str(services.settings.public_url).rstrip("/")
    status_url = f"{base}/api/checkout/{checkout.session_id}"
    answer = CheckoutOpened(
        session_id=checkout.session_id,
        checkout_url=checkout.url,
        status_url=status_url,
        preview_id=checkout.preview_id,
        quantity=checkout.quantity,
        amount=checkout.amount,
        currency=checkout.currency,
    )
    return JSONResponse(
        answer.model_dump(mode="json"), 201, headers={"Location": status_url, **_PRIVATE}
    )


async def get_checkout(request: Request) -> Response:
    """Whether it was paid: Stripe is asked if it hasn't told us yet."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    session_id = request.path_params["session_id"]
    bought = await anyio.to_thread.run_sync(services.sales.till.state, session_id, preview_id)
    answer = CheckoutStatus(session_id=session_id, status=bought.state, order_id=bought.order_id)
    waits = bought.state in (CheckoutState.OPEN, CheckoutState.PROCESSING)
    headers = _PRIVATE | ({"Retry-After": _RETRY_AFTER_S} if waits else {})
    return JSONResponse(answer.model_dump(mode="json"), headers=headers)


routes: list[BaseRoute] = [
    Route("/api/checkout", post_checkout, methods=["POST"]),
    Route("/api/checkout/{session_id}", get_checkout, methods=["GET"]),
]

operations = [
    Operation(
        method="post",
        path="/api/checkout",
        operation_id="open_checkout",
        summary="Buy the book of a preview",
        description=(
            "Opens a page at Stripe where the book is paid and the address is asked for. The "
            "price is the catalogue's. The same Idempotency-Key gets the same page."
        ),
        request_model=CheckoutRequest,
        responses={201: Answer("The page is open.", CheckoutOpened)},
        parameters=(Parameter("Idempotency-Key", "header", "Makes a repetition safe."),),
        security="preview_token",
        problems=(
            "token_required",
            "preview_unknown",
            "preview_not_ready",
            "book_unprintable",
            "idempotency_key_reused",
            "checkout_unavailable",
            "invalid_request",
            "malformed_json",
            "unsupported_content_type",
            "rate_limited",
            "database_unavailable",
        ),
        tag="Orders",
    ),
    Operation(
        method="get",
        path="/api/checkout/{session_id}",
        operation_id="checkout_status",
        summary="Whether a checkout was paid",
        description=(
            "For the page that a parent comes back to from Stripe. If Stripe hasn't told us of "
            "the payment yet, it is asked."
        ),
        responses={200: Answer("The checkout's state.", CheckoutStatus)},
        security="preview_token",
        problems=(
            "token_required",
            "checkout_unknown",
            "checkout_unavailable",
            "rate_limited",
            "database_unavailable",
        ),
        tag="Orders",
    ),
]
