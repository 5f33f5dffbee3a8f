"""The state of a job: polled, long-polled, or followed by Server-Sent Events or a WebSocket.

Polling is the gateway's most frequent request by far: a poll that memory can answer runs no SQL,
no JSON and no thread.
"""

import re
from collections.abc import AsyncIterator

import anyio
from sse_starlette.event import ServerSentEvent
from sse_starlette.sse import EventSourceResponse
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from gateway.errors import Problem
from gateway.etags import matches
from gateway.http.auth import require_token
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.schema import JobStatusDocument
from gateway.services import Services
from gateway.status_board import Snapshot

LONGEST_WAIT_S = 30
HEARTBEAT_S = 15
CLOSE_ENDED = 1000
CLOSE_NO_TOKEN = 4401
CLOSE_UNKNOWN = 4404

_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?', re.IGNORECASE)


class _Prepared(Response):
    """An answer whose bytes lie ready. Each has its own list of headers, because what is around
    the application adds to it."""

    def __init__(self, snapshot: Snapshot, *, modified: bool, applied: int | None = None) -> None:
        self.status_code = 200 if modified else 304
        self.body = snapshot.body if modified else b""
        self.background = None
        self.raw_headers = list(snapshot.headers if modified else snapshot.bare_headers)
        if applied is not None:
            self.raw_headers.append((b"preference-applied", b"wait=%d" % applied))


class StatusPoll:
    """The state now, or with ``Prefer: wait=N`` as soon as it changes.

    An ASGI application of its own: what memory can answer is answered from the scope, without a
    request object. Everything else, and every refusal, goes the ordinary way.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = _remembered(scope) or await _get_status(Request(scope, receive, send))
        await answer(scope, receive, send)


def _remembered(scope: Scope) -> Response | None:
    """The answer to a plain poll with a good token for a state that memory knows, or None."""
    token = known = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            if value[:7].lower() != b"bearer ":
                return None
            token = value[7:].strip().decode("latin-1")
        elif name == b"if-none-match":
            known = value.decode("latin-1")
        elif name == b"prefer":
            return None
    services: Services = scope["app"].state.services
    snapshot = services.board.fresh(scope["path_params"]["job_id"])
    if snapshot is None or token is None:
        return None
    if services.tokens.preview_id(token) != snapshot.preview_id:
        return None
    return _Prepared(snapshot, modified=known is None or not matches(known, snapshot.etag))


async def _get_status(request: Request) -> Response:
    services: Services = request.app.state.services
    job_id = request.path_params["job_id"]
    snapshot = await _visible(request, allow_query=False)
    known = request.headers.get("if-none-match")
    wait_s = _wait_s(request.headers.get("prefer"))
    if wait_s and (known is None or matches(known, snapshot.etag)):
        etag = None if known is None else snapshot.etag
        snapshot = await services.board.next_change(job_id, etag, wait_s) or snapshot
    return _Prepared(snapshot, modified=not matches(known, snapshot.etag), applied=wait_s)


async def get_events(request: Request) -> Response:
    """The states as they come, until the job has ended.

    The id of an event is the state's ETag. A browser that comes back after the end with the last
    id is told by 204 not to come again.
    """
    snapshot = await _visible(request, allow_query=True)
    last = request.headers.get("last-event-id")
    if snapshot.is_terminal and last == _event_id(snapshot):
        return Response(status_code=204)
    services: Services = request.app.state.services
    job_id = request.path_params["job_id"]

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for state in _states(services, job_id, snapshot, last):
            yield ServerSentEvent(state.body.decode(), event="status", id=_event_id(state))

    return EventSourceResponse(
        events(), ping=HEARTBEAT_S, headers={"Cache-Control": "private, no-store"}
    )


async def follow(websocket: WebSocket) -> None:
    """The states as JSON texts, until the job has ended (close 1000). An unknown job is closed
    with 4404, a missing token with 4401."""
    await websocket.accept()
    try:
        snapshot = await _visible(websocket, allow_query=True)
    except Problem as problem:
        unknown = problem.code == "job_unknown"
        await websocket.close(CLOSE_UNKNOWN if unknown else CLOSE_NO_TOKEN, problem.code)
        return
    async with anyio.create_task_group() as group:
        group.start_soon(_until_gone, websocket, group.cancel_scope)
        try:
            services: Services = websocket.app.state.services
            job_id = websocket.path_params["job_id"]
            async for state in _states(services, job_id, snapshot, None):
                await websocket.send_text(state.body.decode())
            await websocket.close(CLOSE_ENDED)
        except WebSocketDisconnect:
            pass  # gone while it was being told
        group.cancel_scope.cancel()


async def _until_gone(websocket: WebSocket, scope: anyio.CancelScope) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass  # whatever a follower says, there is nothing to answer
    scope.cancel()


async def _visible(connection: HTTPConnection, *, allow_query: bool) -> Snapshot:
    """The state of the connection's job, for one who holds its token.

    Raises:
        Problem: ``token_required``, ``job_unknown``.
    """
    services: Services = connection.app.state.services
    preview_id = require_token(connection, allow_query=allow_query)
    if preview_id is None:
        raise Problem("job_unknown")  # a forged token isn't worth a look at the records
    snapshot = await services.board.get(connection.path_params["job_id"])
    if snapshot is None or snapshot.preview_id != preview_id:
        raise Problem("job_unknown")
    return snapshot


async def _states(
    services: Services, job_id: str, first: Snapshot, last_id: str | None
) -> AsyncIterator[Snapshot]:
    """Each state from ``first`` on, without one that the follower has, to the job's end."""
    state: Snapshot | None = first
    seen = last_id
    while state is not None:
        if _event_id(state) != seen:
            yield state
        if state.is_terminal:
            return
        seen = _event_id(state)
        state = await services.board.next_change(job_id, state.etag, LONGEST_WAIT_S)


def _event_id(snapshot: Snapshot) -> str:
    return snapshot.etag.strip('"')


def _wait_s(prefer: str | None) -> int | None:
    """The seconds that a Prefer header (RFC 7240) asks to wait, at most 30; None without one."""
    if prefer is None:
        return None
    found = _WAIT.search(prefer)
    return min(int(found[1]), LONGEST_WAIT_S) if found else None


_STATUS = "/api/preview-status/{job_id}"

routes: list[BaseRoute] = [
    Route(_STATUS, StatusPoll(), methods=["GET"]),
    Route(f"{_STATUS}/events", get_events, methods=["GET"]),
    WebSocketRoute(f"{_STATUS}/ws", follow),
]

operations = [
    Operation(
        method="get",
        path=_STATUS,
        operation_id="get_job_status",
        summary="Get the state of a job",
        description=(
            "Poll with `If-None-Match`, no sooner than `Retry-After` says; or let the gateway "
            "wait with `Prefer: wait=N`. The same documents come as Server-Sent Events under "
            "`/events` and as texts of a WebSocket under `/ws`."
        ),
        responses={
            200: Answer(
                "The state.",
                JobStatusDocument,
                headers={
                    "ETag": "Changes with the state.",
                    "Retry-After": "Seconds until the next poll, while the job runs.",
                    "Preference-Applied": "The wait that was granted.",
                },
            ),
            304: Answer("Nothing changed."),
        },
        parameters=(
            Parameter("If-None-Match", "header", "The ETag that the caller has."),
            Parameter("Prefer", "header", "`wait=N`: answer at a change or after N ≤ 30 s."),
        ),
        security="preview_token",
        problems=("token_required", "job_unknown", "database_unavailable"),
        tag="Status",
    ),
    Operation(
        method="get",
        path=f"{_STATUS}/events",
        operation_id="follow_job_status",
        summary="Follow a job by Server-Sent Events",
        description="Events of type `status` with the state as data; ends when the job does.",
        responses={
            200: Answer("The states as they come.", media_type="text/event-stream"),
            204: Answer("The job has ended, and the caller has its last state."),
        },
        parameters=(Parameter("Last-Event-ID", "header", "The last event that was seen."),),
        security="preview_token_or_query",
        problems=("token_required", "job_unknown", "database_unavailable"),
        tag="Status",
    ),
]
