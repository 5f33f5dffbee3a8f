"""What the SDK inside a worker calls; `worker_environ` tells the SDK of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.control_plane.errors import BadRequest, InjectedFault, PayloadTooLarge
from sandbox.control_plane.jobs import Job
from sandbox.control_plane.limits import RUN_PAYLOAD, RUNSYNC_PAYLOAD
from sandbox.control_plane.plane import Plane
from sandbox.control_plane.wire import Json, read_object

BATCH_MAX = 100

Handler: TypeAlias = Callable[[Plane, Request, str], Awaitable[Response]]


def worker_environ(
    origin: str, endpoint_id: str, *, worker_id: str, key: str, ping_interval_ms: int = 1000
) -> Mapping[str, str]:
    """The SDK's environment for a plane at `origin` (scheme, host and port).

    `worker_id` is the worker's pod id, `key` what it shows to the plane. The SDK's own checks of
    the machine are off: they want a GPU and the internet. Each URL carries a query, since the SDK
    appends `&…` to it, and the SDK's own placeholders:
    `$ID` is the worker in the job-take URL and the job in the others.
    """
    base = f"{origin}/v2/{endpoint_id}"
    return {
        "RUNPOD_WEBHOOK_GET_JOB": f"{base}/job-take/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_OUTPUT": f"{base}/job-done/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_POST_STREAM": f"{base}/job-stream/$RUNPOD_POD_ID/$ID?gpu=none",
        "RUNPOD_WEBHOOK_PING": f"{base}/ping/$RUNPOD_POD_ID?gpu=none",
        "RUNPOD_AI_API_KEY": key,
        "RUNPOD_POD_ID": worker_id,
        "RUNPOD_ENDPOINT_ID": endpoint_id,
        "RUNPOD_PING_INTERVAL": str(ping_interval_ms),
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
    }


def routes() -> list[Route]:
    """The worker-facing routes."""
    prefix = "/v2/{endpoint_id}"
    worker = "{worker_id}"
    return [
        Route(f"{prefix}/job-take/{worker}", _operation("job-take", _take)),
        Route(f"{prefix}/job-take-batch/{worker}", _operation("job-take", _take_batch)),
        Route(f"{prefix}/job-stop/{worker}", _operation("job-stop", _stop)),
        Route(f"{prefix}/ping/{worker}", _operation("ping", _ping)),
        Route(
            f"{prefix}/job-done/{worker}/{{job_id}}",
            _operation("job-done", _done),
            methods=["POST"],
        ),
        Route(
            f"{prefix}/job-stream/{worker}/{{job_id}}",
            _operation("job-stream", _stream),
            methods=["POST"],
        ),
    ]


def _operation(name: str, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        plane: Plane = request.app.state.plane
        plane.check_caller(request, plane.settings.worker_key)
        worker_id = request.path_params["worker_id"]
        plane.queue.heard_from(worker_id)
        # A result has to be read before it is lost; `_done` strikes for itself.
        if name != "job-done" and plane.faults.strike(name):
            return Json({})
        return await handle(plane, request, worker_id)

    return endpoint


async def _take(plane: Plane, request: Request, worker_id: str) -> Response:
    jobs = await _wait_for_jobs(plane, request, worker_id, limit=1)
    return Json(jobs[0].for_worker()) if jobs else Response(status_code=204)


async def _take_batch(plane: Plane, request: Request, worker_id: str) -> Response:
    text = request.query_params.get("batch_size", "1")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= BATCH_MAX):
        raise BadRequest(f"batch_size must be 1 to {BATCH_MAX}")
    jobs = await _wait_for_jobs(plane, request, worker_id, limit=int(text))
    return Json([job.for_worker() for job in jobs]) if jobs else Response(status_code=204)


async def _wait_for_jobs(plane: Plane, request: Request, worker_id: str, limit: int) -> list[Job]:
    if request.query_params.get("job_in_progress") == "0":
        plane.queue.confirm_idle(worker_id)
        plane.settle()
    jobs = await plane.hold(
        request, lambda: plane.queue.take(worker_id, limit) or None, plane.settings.poll_s
    )
    return jobs or []


async def _stop(plane: Plane, request: Request, worker_id: str) -> Response:
    ids = await plane.hold(
        request, lambda: plane.queue.take_stops(worker_id) or None, plane.settings.poll_s
    )
    return Json({"jobsToStop": ids}) if ids else Response(status_code=204)


async def _ping(_plane: Plane, _request: Request, _worker_id: str) -> Response:
    return Json({})


async def _done(plane: Plane, request: Request, worker_id: str) -> Response:
    job_id = request.path_params["job_id"]
    try:
        content = await read_object(request, _result_limit(job_id))
    except PayloadTooLarge:
        plane.queue.refuse_result(worker_id, job_id)
        raise
    if content.get("status") == "IN_PROGRESS":
        plane.queue.report_progress(worker_id, job_id, content.get("output"))
        return Json({})
    if _strike_result(plane, worker_id, job_id):
        return Json({})
    plane.queue.finish(worker_id, job_id, content)
    plane.settle()
    # A late result is thanked for too: an error would only make the SDK send it again.
    return Json({})


async def _stream(plane: Plane, request: Request, worker_id: str) -> Response:
    job_id = request.path_params["job_id"]
    content = await read_object(request, _result_limit(job_id))
    chunk: dict[str, Any] = {key: content[key] for key in ("output", "error") if key in content}
    plane.queue.append_chunk(worker_id, job_id, chunk)
    plane.settle()
    return Json({})


def _strike_result(plane: Plane, worker_id: str, job_id: str) -> bool:
    try:
        swallowed = plane.faults.strike("job-done")
    except InjectedFault:
        plane.queue.refuse_result(worker_id, job_id)
        raise
    if swallowed:
        plane.queue.refuse_result(worker_id, job_id)
    return swallowed


def _result_limit(job_id: str) -> int:
    return RUNSYNC_PAYLOAD if job_id.startswith("sync-") else RUN_PAYLOAD
