"""What clients call: `/v2/{endpoint_id}/run` and its siblings."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control_plane import jobs
from sandbox.control_plane.errors import BadRequest
from sandbox.control_plane.limits import RUN_PAYLOAD, RUNSYNC_PAYLOAD
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.wire import Json, read_object

# `?wait=` of /runsync in milliseconds (RunPod's operation reference).
WAIT_DEFAULT_MS = 90_000
WAIT_MIN_MS = 1_000
WAIT_MAX_MS = 300_000

Handler: TypeAlias = Callable[[Plane, Request], Awaitable[Response]]
Milliseconds: TypeAlias = Annotated[int, Field(gt=0)]


class PolicyBody(BaseModel):
    """`policy` of a run request."""

    model_config = ConfigDict(strict=True)

    executionTimeout: Milliseconds | None = None  # noqa: N815 - RunPod's spelling
    ttl: Milliseconds | None = None
    lowPriority: bool = False  # noqa: N815 - RunPod's spelling


class RunBody(BaseModel):
    """Body of `/run` and `/runsync`; unknown fields are ignored, as RunPod does."""

    model_config = ConfigDict(strict=True)

    input: dict[str, Any]
    webhook: Annotated[HttpUrl, Field(strict=False)] | None = None
    policy: PolicyBody = PolicyBody()


_LATE_ANSWER_S = 20.0


def routes() -> list[Route]:
    """The public routes; `/status` takes GET and POST, as RunPod does."""
    prefix = "/v2/{endpoint_id}"
    return [
        Route(f"{prefix}/run", _operation("run", _run), methods=["POST"]),
        Route(f"{prefix}/runsync", _operation("runsync", _runsync), methods=["POST"]),
        Route(
            f"{prefix}/status/{{job_id}}", _operation("status", _status), methods=["GET", "POST"]
        ),
        Route(
            f"{prefix}/stream/{{job_id}}", _operation("stream", _stream), methods=["GET", "POST"]
        ),
        Route(f"{prefix}/cancel/{{job_id}}", _operation("cancel", _cancel), methods=["POST"]),
        Route(f"{prefix}/retry/{{job_id}}", _operation("retry", _retry), methods=["POST"]),
        Route(f"{prefix}/purge-queue", _operation("purge-queue", _purge), methods=["POST"]),
        Route(f"{prefix}/health", _operation("health", _health), methods=["GET"]),
    ]


def _operation(name: str, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        plane: Plane = request.app.state.plane
        plane.check_caller(request, plane.settings.api_key)
        with plane.limiter.admit(name):
            if plane.faults.strike(name):
                return Json({})
            return await handle(plane, request)

    return endpoint


async def _run(plane: Plane, request: Request) -> Response:
    job = await _submit(plane, request, RUN_PAYLOAD, sync=False)
    accepted = Json({"id": job.id, "status": job.state.value})
    if plane.faults.strike("run-answer"):
        # The job is there; who asked for it hears of that when it has ended.
        await plane.hold(request, lambda: job.state.is_terminal or None, _LATE_ANSWER_S)
    return accepted


async def _runsync(plane: Plane, request: Request) -> Response:
    wait_ms = _wait_ms(request)
    job = await _submit(plane, request, RUNSYNC_PAYLOAD, sync=True)
    await plane.hold(request, lambda: job.state.is_terminal or None, wait_ms / 1000)
    return Json(job.document(plane.clock.now()))


async def _submit(plane: Plane, request: Request, limit: int, *, sync: bool) -> jobs.Job:
    body = _parse(await read_object(request, limit))
    rules = plane.queue.rules
    policy = body.policy
    job = plane.queue.submit(
        jobs.Request(
            input=body.input,
            execution_timeout_s=_seconds(policy.executionTimeout, rules.execution_timeout_s),
            ttl_s=_seconds(policy.ttl, rules.ttl_s),
            low_priority=policy.lowPriority,
            sync=sync,
            webhook=str(body.webhook) if body.webhook else None,
        )
    )
    plane.settle()
    return job


async def _status(plane: Plane, request: Request) -> Response:
    job = plane.queue.find(request.path_params["job_id"])
    return Json(job.document(plane.clock.now()))


async def _stream(plane: Plane, request: Request) -> Response:
    job_id = request.path_params["job_id"]

    def fresh() -> list[Any] | None:
        chunks = plane.queue.read_stream(job_id)
        return chunks if chunks or plane.queue.find(job_id).state.is_terminal else None

    chunks = await plane.hold(request, fresh, plane.settings.poll_s) or []
    state = plane.queue.find(job_id).state
    return Json({"status": state.value, "stream": chunks})


async def _cancel(plane: Plane, request: Request) -> Response:
    job = plane.queue.cancel(request.path_params["job_id"])
    plane.settle()
    return Json({"id": job.id, "status": job.state.value})


async def _retry(plane: Plane, request: Request) -> Response:
    job = plane.queue.retry(request.path_params["job_id"])
    plane.settle()
    return Json({"id": job.id, "status": job.state.value})


async def _purge(plane: Plane, _: Request) -> Response:
    removed = plane.queue.purge()
    plane.settle()
    return Json({"removed": removed, "status": "completed"})


async def _health(plane: Plane, _: Request) -> Response:
    return Json(plane.queue.health())


def _parse(content: dict[str, Any]) -> RunBody:
    try:
        return RunBody.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadRequest(f"{where}: {first['msg']}") from error


def _wait_ms(request: Request) -> int:
    text = request.query_params.get("wait", str(WAIT_DEFAULT_MS))
    if not (text.isascii() and text.isdigit() and WAIT_MIN_MS <= int(text[:9]) <= WAIT_MAX_MS):
        raise BadRequest(f"wait must be {WAIT_MIN_MS} to {WAIT_MAX_MS} ms")
    return int(text)


def _seconds(milliseconds: int | None, default: float) -> float:
    return default if milliseconds is None else milliseconds / 1000
