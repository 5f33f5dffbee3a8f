"""Shopify's webhooks: verified on the raw body, recorded, and answered at once, since Shopify gives
up after five seconds. What they mean is worked out by ``gateway.shopify_orders``."""

import logging
from typing import Final

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway import shopify_orders as topics
from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.http.route_name import route_of
from gateway.http.webhook_bodies import Received, message_header, text_of
from gateway.inbox import SHOPIFY, Message, Recorder
from gateway.services import Services
from gateway.shopify_orders import shop_of
from gateway.shopify_signing import webhook_is_signed

logger = logging.getLogger(__name__)

TOPICS: Final = {
    "/webhooks/shopify/order-paid": topics.PAID,
    "/webhooks/shopify/order-cancelled": topics.CANCELLED,
    "/webhooks/shopify/refunds-create": topics.REFUNDED,
    "/webhooks/shopify/customers-data-request": topics.DATA_REQUEST,
    "/webhooks/shopify/customers-redact": topics.CUSTOMER_REDACT,
    "/webhooks/shopify/shop-redact": topics.SHOP_REDACT,
}
"""The topic that each path is for."""

LARGEST_BODY: Final = 2_000_000
"""An order with very many line items; such bodies are larger than what others post."""

_RECEIVED = Received().model_dump()


async def shopify_webhook(request: Request) -> Response:
    """Record a webhook of Shopify's."""
    services: Services = request.app.state.services
    recorder: Recorder = request.app.state.recorder
    body = await request.body()
    signature = request.headers.get("x-shopify-hmac-sha256", "")
    if not webhook_is_signed(services.settings.shopify_secrets, body, signature):
        logger.warning("Shopify's webhook refused", extra={"reason": "signature"})
        raise Problem("invalid_signature")
    topic = TOPICS[route_of(request.scope)]
    if request.headers.get("x-shopify-topic") != topic:
        raise Problem("invalid_message", f"This path is for the topic {topic}.")
    domain = request.headers.get("x-shopify-shop-domain", "").lower()
    if await anyio.to_thread.run_sync(shop_of, services.engine, domain) is None:
        raise Problem("shop_unknown")
    message = Message(
        source=SHOPIFY,
        message_id=message_header(request, "X-Shopify-Webhook-Id"),
        second_id=message_header(request, "X-Shopify-Event-Id"),
        topic=topic,
        shop_domain=domain,
        body=text_of(body),
    )
    new = await recorder.record(message)
    logger.info(
        "webhook recorded", extra={"webhook": message.message_id, "type": topic, "new": new}
    )
    return JSONResponse(_RECEIVED)


routes: list[BaseRoute] = [Route(path, shopify_webhook, methods=["POST"]) for path in TOPICS]

operations = [
    Operation(
        method="post",
        path=path,
        operation_id=f"shopify_{topic.replace('/', '_')}",
        summary=f"Take Shopify's webhook {topic}",
        description=(
            "Signed by Shopify over the raw body, and recorded; it is dealt with after the answer. "
            "One that came before is taken again and changes nothing."
        ),
        request_content={"application/json": {"schema": {"type": "object"}}},
        responses={200: Answer("Recorded.", Received)},
        parameters=(
            Parameter("X-Shopify-Hmac-Sha256", "header", "Shopify's signature.", required=True),
            Parameter("X-Shopify-Topic", "header", topic, required=True),
            Parameter("X-Shopify-Shop-Domain", "header", "The shop.", required=True),
            Parameter("X-Shopify-Webhook-Id", "header", "Id of the webhook.", required=True),
            Parameter("X-Shopify-Event-Id", "header", "Id of what it tells.", required=True),
        ),
        problems=(
            "invalid_signature",
            "invalid_message",
            "malformed_json",
            "shop_unknown",
            "database_unavailable",
        ),
        tag="Webhooks",
    )
    for path, topic in TOPICS.items()
]
