"""GET /health and GET /ready: for people, load balancers and supervisors."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.health import DependencyStatus, Report
from gateway.http.openapi import Answer, Operation
from gateway.version import gateway_version

_SERVICE = "foxetales-gateway"
_HEADERS = {"Cache-Control": "no-store"}


class DependencyHealth(BaseModel):
    """A dependency; ``duration_ms`` is how long its answer took, in milliseconds."""

    status: DependencyStatus
    duration_ms: float


class Health(BaseModel):
    """How the gateway is; ``timestamp`` is when its dependencies were asked."""

    status: Literal["healthy", "degraded"]
    service: str
    version: str
    timestamp: datetime
    dependencies: dict[str, DependencyHealth]


class Ready(BaseModel):
    """The gateway takes requests."""

    ready: Literal[True] = True


async def health(request: Request) -> Response:
    """Always 200: a dependency's trouble is told in the document."""
    report: Report = await request.app.state.health.report()
    document = Health(
        status="healthy" if report.healthy else "degraded",
        service=_SERVICE,
        version=gateway_version(),
        timestamp=report.checked_at,
        dependencies={
            name: DependencyHealth(status=found.status, duration_ms=found.duration_ms)
            for name, found in report.dependencies.items()
        },
    )
    return JSONResponse(document.model_dump(mode="json"), headers=_HEADERS)


async def ready(request: Request) -> Response:
    """200 when database, object store and KV answer, else 503."""
    report: Report = await request.app.state.health.report()
    if not report.ready:
        raise Problem("not_ready", headers={"Retry-After": "2"})
    return JSONResponse(Ready().model_dump(), headers=_HEADERS)


routes: list[BaseRoute] = [
    Route("/health", health, methods=["GET"]),
    Route("/ready", ready, methods=["GET"]),
]

operations = [
    Operation(
        method="get",
        path="/health",
        operation_id="health",
        summary="How the gateway and its dependencies are",
        responses={200: Answer("Always, even when something is unavailable.", Health)},
        tag="Operations",
    ),
    Operation(
        method="get",
        path="/ready",
        operation_id="ready",
        summary="Whether requests are taken",
        description=(
            "The render endpoint and the mailer aren't needed for that: jobs and letters wait."
        ),
        responses={200: Answer("Requests are taken.", Ready)},
        problems=("not_ready",),
        tag="Operations",
    ),
]
