"""The application: routes, what surrounds them, and what runs beside them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio import CapacityLimiter
from starlette.applications import Starlette
from starlette.middleware import Middleware

from gateway.health import health_check
from gateway.http import files, health, pages, runpod_webhooks, status, storefront, uploads
from gateway.http.middleware import BodyLimit, Envelope
from gateway.http.openapi import document
from gateway.http.problems import EXCEPTION_HANDLERS
from gateway.services import Services
from gateway.version import gateway_version

_MODULES = (status, storefront, uploads, files, runpod_webhooks, health, pages)
_BODY_BYTES = 256 * 1024
_PHOTOS_AT_ONCE = 2


def create_app(services: Services) -> Starlette:
    """Return the gateway's application around ``services``.

    While it runs, the dispatcher runs beside it; when it ends, ``services`` are closed.
    """
    settings = services.settings
    uploads_limit = (settings.photo_max_bytes + uploads.FRAMING_BYTES, "photo_too_large")
    app = Starlette(
        routes=[route for module in _MODULES for route in module.routes],
        middleware=[
            Middleware(Envelope, https=settings.public_url.scheme == "https"),
            Middleware(BodyLimit, default=_BODY_BYTES, limits={uploads.PATH: uploads_limit}),
        ],
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=_lifespan,
    )
    app.state.services = services
    app.state.health = health_check(services)
    app.state.photo_limiter = CapacityLimiter(_PHOTOS_AT_ONCE)
    app.state.openapi = document(
        [operation for module in _MODULES for operation in module.operations],
        server_url=str(settings.public_url).rstrip("/"),
        version=gateway_version(),
    )
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    services: Services = app.state.services
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(services.dispatcher.run)
            yield
            tasks.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            for close in services.closers:
                await close()
        services.engine.dispose()
