"""Routes of ours, outside RunPod's paths: readiness, and what tests need to know or to break."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control_plane.errors import BadRequest, NotFound
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.wire import Json, read_object


class FaultBody(BaseModel):
    """Body of `POST /sandbox/{endpoint_id}/faults`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    operation: str
    status: Annotated[int, Field(ge=200, le=599)] = 500
    count: Annotated[int, Field(ge=0)] = 1


def routes() -> list[Route]:
    """Readiness for anyone; counters and faults for the holder of the API key."""
    return [
        Route("/ready", _ready),
        Route("/sandbox/{endpoint_id}/counters", _counters),
        Route("/sandbox/{endpoint_id}/faults", _faults, methods=["POST"]),
    ]


async def _ready(_: Request) -> Response:
    return Json({"status": "ready"})


async def _counters(request: Request) -> Response:
    plane: Plane = request.app.state.plane
    plane.check_caller(request, plane.settings.api_key)
    counters = plane.queue.counters
    return Json({"workersLost": counters.workers_lost, "latePosts": counters.late_posts})


async def _faults(request: Request) -> Response:
    plane: Plane = request.app.state.plane
    if not plane.settings.faults:
        raise NotFound("faults are not switched on")
    plane.check_caller(request, plane.settings.api_key)
    try:
        body = FaultBody.model_validate(await read_object(request, limit=4096))
    except ValidationError as error:
        raise BadRequest("a fault needs operation, status 200 to 599 and count") from error
    plane.faults.arm(body.operation, status=body.status, count=body.count)
    return Json({})
