"""What happens around every request: an id, security headers, one log line, limits to path and
body.

Plain ASGI, because every status poll passes through here.
"""

import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from itertools import count
from time import perf_counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import Problem
from gateway.http.problems import problem_response
from gateway.http.route_name import route_of
from gateway.logs import request_id

logger = logging.getLogger("gateway.access")

_GIVEN_REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")
_POLICY = b"content-security-policy"
_API_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_QUIET_ROUTES = ("/api/preview-status/", "/health", "/ready")
_POLICY_VIOLATION = 1008  # RFC 6455, 7.4.1
_DRAINED_BYTES = 64 * 1024 * 1024


class Envelope:
    """Gives a request its id, its answer the security headers, and the log a line.

    An id of 8–64 letters, digits, ``_`` and ``-`` in ``X-Request-ID`` is kept, so that a shop can
    follow a request through; the answer carries it too. Polls and probes that went well are
    logged at DEBUG. An exception that nobody foresaw ends here, as the problem ``internal``.
    """

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._headers = _SECURITY_HEADERS + ((_STRICT_TRANSPORT,) if https else ())
        self._policy = (_POLICY, _API_POLICY)
        # Ids need only be distinct: counting is cheaper than randomness for every poll.
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity = _given_identity(scope) or f"{self._prefix}-{next(self._numbers):x}".encode()
        token = request_id.set(identity.decode())
        begun = perf_counter()
        status = 0

        async def send_enveloped(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                if not _has_policy(headers):
                    headers.append(self._policy)
                headers.extend(self._headers)
                headers.append((b"x-request-id", identity))
            await send(message)

        try:
            await self._app(scope, receive, send_enveloped)
        except Exception:
            logger.exception("unforeseen error", extra={"route": route_of(scope)})
            if status:
                raise  # the answer has begun: only breaking the connection can tell
            response = problem_response(Problem("internal"))
            await response(scope, receive, send_enveloped)
        finally:
            _log(scope, status, perf_counter() - begun)
            request_id.reset(token)


class BodyLimit:
    """Refuses a body that is larger than its route takes, whether it says so or not.

    ``limits`` gives paths their own limit in bytes and the problem's code; other paths have
    ``default`` bytes and ``body_too_large``. A body that is only a little too large is read to
    its end by the server, so that the caller gets to see the answer; beyond 64 MiB, or without a
    length, the connection is closed.
    """

    def __init__(
        self, app: ASGIApp, *, default: int, limits: Mapping[str, tuple[int, str]]
    ) -> None:
        self._app = app
        self._default = (default, "body_too_large")
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        limit, code = self._limits.get(scope["path"], self._default)
        declared = _declared_length(scope)
        if declared is not None and declared > limit:
            problem = _too_large(code, limit, close=declared > _DRAINED_BYTES)
            await problem_response(problem)(scope, receive, send)
            return
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise _too_large(code, limit, close=True)
            return message

        await self._app(scope, receive_counted, send)


class PlainPaths:
    """Refuses a path with a NUL in it, as if there were nothing: no id of ours has one, and
    PostgreSQL can't even be asked for it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "\0" not in scope.get("path", ""):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await problem_response(Problem("not_found"))(scope, receive, send)


def _given_identity(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _GIVEN_REQUEST_ID.fullmatch(value):
            return bytes(value)
    return None


def _has_policy(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a route gave a content security policy of its own: pages for people do."""
    for name, _ in headers:  # noqa: SIM110  # a generator costs more than the loop, on every poll
        if name == _POLICY:
            return True
    return False


def _declared_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return None


def _too_large(code: str, limit: int, *, close: bool) -> Problem:
    headers = {"Connection": "close"} if close else {}
    return Problem(code, f"At most {limit} bytes are taken here.", headers=headers)


def _log(scope: Scope, status: int, seconds: float) -> None:
    quiet = status < 400 and scope["path"].startswith(_QUIET_ROUTES)
    level = logging.DEBUG if quiet else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(
            level,
            "request",
            extra={
                "method": scope["method"],
                "route": route_of(scope),
                "status": status,
                "duration_ms": round(seconds * 1000, 2),
            },
        )
