"""The control plane as a Starlette application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.control_plane import admin_api, public_api, worker_api
from sandbox.control_plane.errors import PlaneError
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.wire import Json


def create_app(plane: Plane) -> Starlette:
    """Serve `plane`; its clockwork runs for as long as the application's lifespan."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with plane.running():
            yield

    app = Starlette(
        routes=[*public_api.routes(), *worker_api.routes(), *admin_api.routes()],
        lifespan=lifespan,
        exception_handlers={
            PlaneError: _refuse,
            HTTPException: _refuse_http,
            ClientDisconnect: _hung_up,
            Exception: _refuse_unexpected,
        },
    )
    app.state.plane = plane
    return app


async def _refuse(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, PlaneError) else 500
    return Json({"error": str(error)}, status_code=status)


async def _refuse_http(_: Request, error: Exception) -> Response:
    # Starlette's own: no such path, or no such method on it.
    if not isinstance(error, HTTPException):
        raise error
    return Json({"error": error.detail}, status_code=error.status_code, headers=error.headers)


async def _hung_up(_: Request, __: Exception) -> Response:
    return Response(status_code=400)


async def _refuse_unexpected(_: Request, __: Exception) -> Response:
    # Starlette raises the error again once this is sent, and the server logs it.
    return Json({"error": "internal error"}, status_code=500)
