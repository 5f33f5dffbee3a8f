"""Stripe's events: verified on the raw body, recorded, and answered. What they mean is worked out
afterwards, by ``gateway.stripe_events``."""

import logging
from collections.abc import Sequence
from typing import Final

import stripe
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.http.webhook_bodies import Received, text_of
from gateway.inbox import Recorder
from gateway.services import Services
from gateway.stripe_events import Event, message_of

logger = logging.getLogger(__name__)

TOLERANCE_S: Final = 300
_RECEIVED = Received().model_dump()


async def stripe_event(request: Request) -> Response:
    """Record an event of Stripe's."""
    services: Services = request.app.state.services
    recorder: Recorder = request.app.state.recorder
    body = text_of(await request.body())
    signature = request.headers.get("stripe-signature", "")
    if not _is_signed(services.settings.stripe_secrets, body, signature):
        logger.warning("Stripe's event refused", extra={"reason": "signature"})
        raise Problem("invalid_signature")
    try:
        event = Event.model_validate_json(body)
    except ValidationError:
        logger.warning("Stripe's event refused", extra={"reason": "form"})
        raise Problem("invalid_message") from None
    if not event.livemode and not services.settings.allow_test_payments:
        raise Problem("test_payment")
    new = await recorder.record(message_of(event, body))
    logger.info("event recorded", extra={"event": event.id, "type": event.type, "new": new})
    return JSONResponse(_RECEIVED)


def _is_signed(secrets: Sequence[str], body: str, signature: str) -> bool:
    """Whether one of the secrets made the signature, not longer than five minutes ago."""
    if not signature.isascii():
        return False  # what the library compares has to be ASCII
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, TOLERANCE_S)
        except stripe.SignatureVerificationError:
            continue
        return True
    return False


routes: list[BaseRoute] = [Route("/webhooks/stripe", stripe_event, methods=["POST"])]

operations = [
    Operation(
        method="post",
        path="/webhooks/stripe",
        operation_id="stripe_event",
        summary="Take an event of Stripe's",
        description=(
            "Signed by Stripe over the raw body. The event is recorded, and dealt with after the "
            "answer. One that came before is taken again and changes nothing."
        ),
        request_content={
            "application/json": {"schema": {"type": "object", "required": ["id", "type", "data"]}}
        },
        responses={200: Answer("Recorded.", Received)},
        parameters=(Parameter("Stripe-Signature", "header", "Stripe's signature.", required=True),),
        problems=(
            "invalid_signature",
            "invalid_message",
            "malformed_json",
            "test_payment",
            "database_unavailable",
        ),
        tag="Webhooks",
    )
]
