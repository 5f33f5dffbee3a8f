"""Lulu's API as its documentation tells it, as far as we use it: an ASGI application.

Tokens end. Files are checked step by step, a step each time somebody asks. ``external_id`` is a
label: the same one twice makes two jobs. Lists come in pages, and the search looks into several
fields. Tests switch faults on: see the fields of :class:`FakeLulu`.
"""

import threading
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from anyio import to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.adapters.lulu_session import TOKEN_PATH

KEY, SECRET = "client-key", "client-secret"
PRODUCT = "0850X0850.FC.PRE.CW.080CW444.MXX"
_LEVELS = {"MAIL", "PRIORITY_MAIL", "GROUND", "EXPEDITED", "EXPRESS"}
_CHECK = [None, "VALIDATING", "NORMALIZING", "NORMALIZED"]
_MAY_BE_CANCELLED = {"CREATED", "UNPAID", "PRODUCTION_DELAYED"}


@dataclass
class FakeLulu:
    """What Lulu knows, what it was asked, and what it is to do wrong."""

    jobs: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    tokens_given: int = 0
    tokens_valid: set[str] = field(default_factory=set)
    token_life_s: int = 3600
    product: str = PRODUCT
    page_count: object = 38
    first_step: int = 0
    bad_files: dict[str, list[str]] = field(default_factory=dict)
    stuck_files: bool = False
    asks_per_step: int = 1
    page_size: int | None = None
    fail_next: list[Response] = field(default_factory=list)
    hang_after_accepting: threading.Event | None = None
    _checks: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"interior": [], "cover": []}
    )

    def app(self) -> Starlette:
        """The application, to be put on a socket."""
        return Starlette(
            routes=[
                Route(TOKEN_PATH, self._token, methods=["POST"]),
                Route("/cover-dimensions/", self._cover_dimensions, methods=["POST"]),
                Route("/validate-{part}/", self._validate, methods=["POST"]),
                Route("/validate-{part}/{number:int}/", self._validation),
                Route("/print-jobs/", self._list),
                Route("/print-jobs/", self._create, methods=["POST"]),
                Route("/print-jobs/{number:int}/", self._read),
                Route("/print-jobs/{number:int}/status/", self._cancel, methods=["PUT"]),
            ]
        )

    def job(self, external_id: str, **changes: Any) -> dict[str, Any]:
        """A job as if it had been posted; ``changes`` replace fields."""
        job = {
            "id": len(self.jobs) + 1,
            "external_id": external_id,
            "status": {"name": "CREATED", "message": "Print-job is currently being validated"},
            "line_items": [{"title": "A book", "external_id": external_id, "status": {}}],
        }
        self.jobs.append(job | changes)
        return self.jobs[-1]

    async def _token(self, request: Request) -> Response:
        self.calls.append("token")
        basic = b64encode(f"{KEY}:{SECRET}".encode()).decode()
        form = parse_qs((await request.body()).decode())
        if request.headers.get("authorization") != f"Basic {basic}":
            return JSONResponse({"error": "unauthorized_client"}, 401)
        if form != {"grant_type": ["client_credentials"]}:
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        self.tokens_given += 1
        token = f"token-{self.tokens_given}"
        self.tokens_valid = {token}
        return JSONResponse({"access_token": token, "expires_in": self.token_life_s})

    async def _answer(self, request: Request) -> Response | None:
        """A refusal, or a fault that a test asked for."""
        self.calls.append(f"{request.method} {request.url.path}")
        if self.fail_next:
            return self.fail_next.pop(0)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens_valid:
            return JSONResponse({"detail": "Authentication credentials were not provided."}, 401)
        return None

    async def _cover_dimensions(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        body = await request.json()
        if body["pod_package_id"] != self.product:
            return JSONResponse({"pod_package_id": ["Invalid POD package id."]}, 400)
        per_inch = {"inch": 1, "mm": 25.4, "pt": 72}[body.get("unit", "pt")]
        size = {"width": f"{19.0 * per_inch:.3f}", "height": f"{10.25 * per_inch:.3f}"}
        return JSONResponse(size | {"unit": body.get("unit", "pt")}, 201)

    async def _validate(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        body, part = await request.json(), request.path_params["part"]
        needed = {"source_url", "pod_package_id"} | (
            {"interior_page_count"} if part == "cover" else set()
        )
        if missing := needed - set(body):
            return JSONResponse({name: ["This field is required."] for name in missing}, 400)
        checks = self._checks[part]
        check = {"id": len(checks) + 1, "step": self.first_step * self.asks_per_step}
        checks.append(check | {"source_url": body["source_url"]})
        return JSONResponse(self._opinion(part, checks[-1]), 201)

    async def _validation(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        part = request.path_params["part"]
        check = self._checks[part][request.path_params["number"] - 1]
        check["step"] += 0 if self.stuck_files else 1
        return JSONResponse(self._opinion(part, check))

    def _opinion(self, part: str, check: dict[str, Any]) -> dict[str, Any]:
        status = _CHECK[min(check["step"] // self.asks_per_step, len(_CHECK) - 1)]
        errors = self.bad_files.get(part)
        if status == "NORMALIZED" and errors:
            status = "ERROR"
        opinion = {"id": check["id"], "source_url": check["source_url"], "status": status}
        done = status in ("NORMALIZED", "ERROR")
        opinion["errors"] = errors if done else None
        if part == "interior":
            opinion["page_count"] = self.page_count if done else None
        return opinion

    async def _list(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        query = request.query_params
        words = query.get("search", "")
        found = [job for job in self.jobs if words in f"{job['id']} {job['external_id']} {job}"]
        size = self.page_size or int(query.get("page_size", 100))
        first = (int(query.get("page", 1)) - 1) * size
        more = first + size < len(found)
        return JSONResponse(
            {
                "count": len(found),
                "next": "https://elsewhere.example/print-jobs/?page=2" if more else None,
                "previous": None,
                "results": found[first : first + size],
            }
        )

    async def _create(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        body = await request.json()
        self.bodies.append(body)
        faults: dict[str, Any] = {}
        address = body.get("shipping_address", {})
        wrong = {
            name: ["This field is required."]
            for name in ("name", "street1", "city", "postcode", "country_code")
            if not address.get(name)
        }
        if len(address.get("country_code", "")) != 2:
            wrong["country_code"] = [f"{address.get('country_code')!r} is no country."]
        if wrong:
            faults["shipping_address"] = wrong
        if body.get("shipping_level") not in _LEVELS:
            faults["shipping_level"] = ["This is not a valid choice."]
        if faults:
            return JSONResponse(faults, 400)
        item = body["line_items"][0] | {"status": {"name": "CREATED", "messages": {}}}
        job = self.job(body["external_id"], line_items=[item])
        if self.hang_after_accepting is not None:
            # The answer gets lost: the caller's patience ends first.
            await _until(self.hang_after_accepting)
        return JSONResponse(job, 201)

    async def _read(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        job = self._by_id(request)
        return JSONResponse(job) if job else JSONResponse({"detail": "Not found."}, 404)

    async def _cancel(self, request: Request) -> Response:
        if refusal := await self._answer(request):
            return refusal
        job = self._by_id(request)
        if job is None:
            return JSONResponse({"detail": "Not found."}, 404)
        assert await request.json() == {"name": "CANCELED"}
        before = job["status"]["name"]
        if before not in _MAY_BE_CANCELLED:
            return JSONResponse([f"Invalid transition from {before} to CANCELED requested"], 400)
        job["status"] = {"name": "CANCELED", "message": "Print-job was canceled"}
        return JSONResponse(job["status"])

    def _by_id(self, request: Request) -> dict[str, Any] | None:
        number = request.path_params["number"]
        return next((job for job in self.jobs if job["id"] == number), None)


async def _until(event: threading.Event) -> None:
    await to_thread.run_sync(event.wait, 10)
