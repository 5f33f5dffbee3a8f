"""Resend's API as its documentation tells it, as far as we use it: an ASGI application.

A key that was used within a day answers the same again, without another letter; with another
letter it is a conflict.
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "re_test"


@dataclass
class FakeResend:
    """What was sent, and what is to go wrong."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    by_key: dict[str, dict[str, Any]] = field(default_factory=dict)
    sending_only: bool = False
    fail_next: list[Response] = field(default_factory=list)

    def app(self) -> Starlette:
        """The application, to be put on a socket."""
        return Starlette(
            routes=[
                Route("/emails", self._send, methods=["POST"]),
                Route("/domains", self._domains),
            ]
        )

    async def _send(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        body = await request.json()
        key = request.headers.get("idempotency-key", "")
        if not 1 <= len(key) <= 256:
            return error(400, "invalid_idempotency_key")
        if not body["to"] or not all("@" in to for to in body["to"]) or "@" not in body["from"]:
            return error(422, "validation_error", f"Invalid `to` field: {body['to']}")
        if key in self.by_key and self.by_key[key] != body:
            return error(409, "invalid_idempotent_request")
        if key not in self.by_key:
            self.by_key[key] = body
            self.sent.append(body)
        return JSONResponse({"id": f"mail-{list(self.by_key).index(key) + 1}"})

    async def _domains(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.sending_only:
            return error(401, "restricted_api_key")
        return JSONResponse({"data": []})

    def _refusal(self, request: Request) -> Response | None:
        if self.fail_next:
            return self.fail_next.pop(0)
        given = request.headers.get("authorization")
        if not given:
            return error(401, "missing_api_key")
        return None if given == f"Bearer {KEY}" else error(403, "invalid_api_key")


def error(status: int, name: str, message: str = "", **headers: str) -> Response:
    """An error in Resend's form."""
    document = {"statusCode": status, "name": name, "message": message}
    return JSONResponse(document, status, headers=headers)
