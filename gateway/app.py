"""The application: routes, what surrounds them, and what runs beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway.endpoint_watch import EndpointWatch
from gateway.health import health_check
from gateway.http import (
    checkout,
    desk,
    files,
    health,
    metrics,
    orders,
    pages,
    print_webhook,
    runpod_webhooks,
    shopify_proxy,
    shopify_webhook,
    status,
    storefront,
    stripe_webhook,
    uploads,
)
from gateway.http.middleware import BodyLimit, Envelope, PlainPaths
from gateway.http.openapi import document
from gateway.http.problems import EXCEPTION_HANDLERS
from gateway.http.rate_limits import RateLimits
from gateway.inbox import Recorder
from gateway.rounds import Rounds
from gateway.sale_services import INBOX_ROUND
from gateway.services import Services, rounds_of
from gateway.upkeep import upkeep_of
from gateway.version import gateway_version

ROUTE_MODULES = (
    status,
    storefront,
    uploads,
    checkout,
    orders,
    files,
    runpod_webhooks,
    stripe_webhook,
    shopify_webhook,
    print_webhook,
    shopify_proxy,
    desk,
    health,
    metrics,
    pages,
)
"""What is served: each has ``routes`` and their ``operations``."""

_BODY_BYTES = 256 * 1024
_PHOTOS_AT_ONCE = 2


def create_app(services: Services, *, carry_orders: bool = False) -> Starlette:
    """Return the gateway's application around ``services``.

    While it runs, the dispatcher runs beside it, and with ``carry_orders`` paid orders are carried
    to the printer: at most one application of a process can do that. When it ends, ``services`` are
    closed.
    """
    settings = services.settings
    uploads_limit = (settings.photo_max_bytes + uploads.FRAMING_BYTES, "photo_too_large")
    shopify_limit = (shopify_webhook.LARGEST_BODY, "body_too_large")
    limits = {uploads.PATH: uploads_limit} | dict.fromkeys(shopify_webhook.TOPICS, shopify_limit)
    app = Starlette(
        routes=[route for module in ROUTE_MODULES for route in module.routes],
        middleware=[
            Middleware(Envelope, https=settings.public_url.scheme == "https"),
            Middleware(PlainPaths),
            Middleware(RateLimits, services=services),
            Middleware(BodyLimit, default=_BODY_BYTES, limits=limits),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=_lifespan,
    )
    app.state.services = services
    watch = app.state.endpoint_watch = EndpointWatch(services.endpoint, services.clock)
    rounds = app.state.rounds = (
        Rounds([*rounds_of(services), *upkeep_of(services), watch.round()])
        if carry_orders
        else None
    )
    app.state.recorder = Recorder(
        services.sales.inbox, (lambda: rounds.wake(INBOX_ROUND)) if rounds else (lambda: None)
    )
    app.state.health = health_check(services, watch)
    app.state.photo_limiter = CapacityLimiter(_PHOTOS_AT_ONCE)
    app.state.openapi = document(
        [operation for module in ROUTE_MODULES for operation in module.operations],
        server_url=str(settings.public_url).rstrip("/"),
        version=gateway_version(),
    )
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: Services = app.state.services
    rounds: Rounds | None = app.state.rounds
    fulfilment = services.orders.fulfilment
    try:
        if rounds:
            await anyio.to_thread.run_sync(fulfilment.open)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(services.dispatcher.run)
            if rounds:
                tasks.start_soon(rounds.run)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            if rounds:
                await anyio.to_thread.run_sync(fulfilment.close)
            for close in services.closers:
                await close()
        services.engine.dispose()
