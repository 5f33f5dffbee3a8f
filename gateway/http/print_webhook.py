"""Lulu's webhook: verified, recorded, and answered. Nothing that it says is believed: it is a
reason to ask Lulu (``gateway.printer_events``)."""

import hashlib
import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from contract.signing import InvalidSignature
from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.http.webhook_bodies import Received
from gateway.inbox import PRINTER, Message, Recorder
from gateway.lulu_messages import SIGNATURE_HEADER, TOPIC, UnreadableMessage, verify_webhook
from gateway.services import Services

logger = logging.getLogger(__name__)


async def lulu_webhook(request: Request) -> Response:
    """Record that something happened to a print job."""
    services: Services = request.app.state.services
    recorder: Recorder = request.app.state.recorder
    body = await request.body()
    try:
        vendor_id, _ = verify_webhook(services.settings.lulu_webhook_secrets, request.headers, body)
    except InvalidSignature:
        logger.warning("Lulu's webhook refused", extra={"reason": "signature"})
        raise Problem("invalid_signature") from None
    except UnreadableMessage as error:
        logger.warning("Lulu's webhook refused", extra={"reason": str(error)})
        raise Problem("invalid_message") from None
    await recorder.record(
        Message(
            source=PRINTER,
            # Lulu's webhooks have no id; the body tells when the job changed.
            message_id=hashlib.sha256(body).hexdigest(),
            second_id=vendor_id[:255],
            topic=TOPIC,
            body="",
        )
    )
    return JSONResponse(Received().model_dump())


routes: list[BaseRoute] = [Route("/webhooks/lulu", lulu_webhook, methods=["POST"])]

operations = [
    Operation(
        method="post",
        path="/webhooks/lulu",
        operation_id="lulu_webhook",
        summary="Lulu's webhook: a print job changed",
        description="Signed over the raw body. Its content isn't used: Lulu is asked itself.",
        request_content={"application/json": {"schema": {"type": "object"}}},
        responses={200: Answer("Recorded.", Received)},
        parameters=(Parameter(SIGNATURE_HEADER, "header", "Lulu's signature.", required=True),),
        problems=("invalid_signature", "invalid_message", "database_unavailable"),
        tag="Webhooks",
    )
]
