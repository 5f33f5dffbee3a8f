"""GET /metrics: numbers for a monitor."""

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.endpoint_watch import EndpointWatch
from gateway.figures import dependency_gauge, work_gauges
from gateway.health import Report
from gateway.http.openapi import Answer, Operation
from gateway.metrics import CONTENT_TYPE, exposition
from gateway.services import Services


async def metrics(request: Request) -> Response:
    """What waits and for how long, what answers, and what was last seen of the endpoint."""
    services: Services = request.app.state.services
    watch: EndpointWatch = request.app.state.endpoint_watch
    report: Report = await request.app.state.health.report()
    work = await anyio.to_thread.run_sync(work_gauges, services.engine, services.clock)
    return PlainTextResponse(
        exposition([*watch.gauges(), dependency_gauge(report), *work]),
        headers={"Cache-Control": "no-store", "Content-Type": CONTENT_TYPE},
    )


routes: list[BaseRoute] = [Route("/metrics", metrics, methods=["GET"])]

operations = [
    Operation(
        method="get",
        path="/metrics",
        operation_id="metrics",
        summary="Numbers for a monitor, in Prometheus' text format",
        responses={200: Answer("The numbers.", media_type="text/plain")},
        tag="Operations",
    ),
]
