"""Stripe's stand-in as a Starlette application: the part of the API that the gateway uses, the page
where a session is paid, and the signed event that follows.

As at Stripe, one ``Idempotency-Key`` opens one session, and a parent who has paid is sent back once
the webhook was answered, or couldn't be delivered. An event that couldn't is listed by
``/v1/events?delivery_success=false``. Everything is forgotten when the process ends.
"""

import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import compare_digest
from urllib.parse import parse_qsl

import httpx
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.stripe_stand_in.page import checkout_page
from sandbox.stripe_stand_in.sessions import (
    Buyer,
    Document,
    InvalidRequest,
    at,
    completed_event,
    opened,
    paid,
    title_of,
)
from sandbox.stripe_stand_in.settings import Settings

logger = logging.getLogger(__name__)

_GONE = "This checkout is over, or there never was one."


@dataclass
class StripeStandIn:
    """What it knows. ``clock`` tells the time in seconds since the epoch, ``http`` posts events."""

    settings: Settings
    http: httpx.AsyncClient
    clock: Callable[[], float] = time.time
    sessions: dict[str, Document] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    undelivered: list[Document] = field(default_factory=list)
    _opened_by: dict[str, str] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The application; it closes ``http`` when it ends."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            async with self.http:
                yield

        return Starlette(
            routes=[
                Route("/ready", _ready),
                Route("/v1/checkout/sessions", self._create, methods=["POST"]),
                Route("/v1/checkout/sessions/{session_id}", self._read),
                Route("/v1/events", self._list),
                Route("/c/pay/{session_id}", self._page, methods=["GET"]),
                Route("/c/pay/{session_id}", self._pay, methods=["POST"]),
            ],
            lifespan=lifespan,
        )

    async def _create(self, request: Request) -> Response:
        if not self._is_ours(request):
            return _refused(401, "Invalid API key")
        told = await _form(request)
        key = request.headers.get("idempotency-key", "")
        if key in self._opened_by:
            return JSONResponse(self.sessions[self._opened_by[key]])
        pages = str(request.base_url.replace(path="/c/pay"))
        try:
            session = opened(told, pages=pages, now=self._now)
            self.titles[session["id"]] = title_of(told)
        except InvalidRequest as error:
            return _refused(400, f"Missing or invalid parameter: {error}")
        self.sessions[session["id"]] = session
        if key:
            self._opened_by[key] = session["id"]
        return JSONResponse(session)

    async def _read(self, request: Request) -> Response:
        if not self._is_ours(request):
            return _refused(401, "Invalid API key")
        session = self._session(request)
        if session is None:
            return _refused(404, "No such checkout session", "resource_missing")
        return JSONResponse(session)

    async def _list(self, request: Request) -> Response:
        if not self._is_ours(request):
            return _refused(401, "Invalid API key")
        listed = {"object": "list", "url": "/v1/events", "has_more": False}
        return JSONResponse(listed | {"data": self.undelivered[::-1]})

    async def _page(self, request: Request) -> Response:
        session = self._session(request)
        if session is None or session["status"] == "expired":
            return HTMLResponse(_GONE, 404)
        if session["status"] == "complete":
            return _back(session)
        return HTMLResponse(checkout_page(session, self.titles[session["id"]], Buyer()))

    async def _pay(self, request: Request) -> Response:
        session = self._session(request)
        if session is None or session["status"] == "expired":
            return HTMLResponse(_GONE, 404)
        if session["status"] == "open":
            session = paid(session, Buyer.read(await _form(request)))
            self.sessions[session["id"]] = session
            await self._deliver(completed_event(session, self._now))
        return _back(session)

    async def _deliver(self, event: Document) -> None:
        body = json.dumps(event, indent=2, ensure_ascii=False)
        signature = stripe.WebhookSignature.generate_signature_header(
            body, self.settings.webhook_secret, self._now
        )
        try:
            answer = await self.http.post(
                self.settings.webhook_url,
                content=body.encode(),
                headers={"Content-Type": "application/json", "Stripe-Signature": signature},
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            logger.warning("%s not delivered: %s", event["id"], error)
            self.undelivered.append(event)

    def _session(self, request: Request) -> Document | None:
        session = self.sessions.get(request.path_params["session_id"])
        return at(session, self._now) if session else None

    def _is_ours(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return compare_digest(given, f"Bearer {self.settings.api_key}".encode())

    @property
    def _now(self) -> int:
        return int(self.clock())


async def _ready(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _form(request: Request) -> Mapping[str, str]:
    return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))


def _back(session: Document) -> Response:
    url = session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
    return RedirectResponse(url, 303)


def _refused(status: int, message: str, code: str | None = None) -> Response:
    error = {"type": "invalid_request_error", "code": code, "message": message}
    return JSONResponse({"error": error}, status)
