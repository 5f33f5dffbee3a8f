"""GET /files/{key}: stored objects, by expiring links."""

from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import Literal

import anyio
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.services import Services
from storage.errors import InvalidKey, ObjectNotFound, ObjectTooLarge
from storage.scratch import scratch

_LARGEST_PICTURE = 128 * 1024 * 1024
_LARGEST_BOOK = 2 * 1024 * 1024 * 1024
_BOOK = ".pdf"
_CONTENT_TYPES = {
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
}
_HEADERS = {
    "Cache-Control": "private, no-store",
    "X-Robots-Tag": "noindex",
    "Content-Disposition": "inline",
}


async def get_file(request: Request) -> Response:
    """Serve the object that a link made by ``gateway.links`` names."""
    services: Services = request.app.state.services
    key = request.path_params["key"]
    query = request.query_params
    services.links.check(key, query.get("expires", ""), query.get("signature", ""))
    try:
        if key.endswith(_BOOK):
            return await _book(services, key)
        data = await anyio.to_thread.run_sync(services.store.get, key, _LARGEST_PICTURE)
    except (ObjectNotFound, InvalidKey, ObjectTooLarge):
        raise Problem("not_found") from None
    return Response(data, media_type=content_type(key), headers=_HEADERS)


async def _book(services: Services, key: str) -> Response:
    """A file that may be too large for memory: it goes through one on the disk."""
    with ExitStack() as stack:
        path = stack.enter_context(scratch("file")) / "file"
        await anyio.to_thread.run_sync(services.store.get_file, key, path, _LARGEST_BOOK)
        until_sent = stack.pop_all()
    return FileResponse(
        path,
        media_type=content_type(key),
        headers=_HEADERS,
        background=BackgroundTask(until_sent.close),
    )


def content_type(key: str) -> str:
    """Return the content type of an object by its key's ending."""
    return _CONTENT_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")


routes: list[BaseRoute] = [Route("/files/{key:path}", get_file, methods=["GET"])]

_VARIANTS: tuple[tuple[Literal["get", "head"], str, str | None], ...] = (
    ("get", "Fetch a file by its link", "application/octet-stream"),
    ("head", "Look at a file by its link", None),
)

operations = [
    Operation(
        method=method,
        path="/files/{key:path}",
        operation_id=f"{method}_file",
        summary=summary,
        description="Links are made by the gateway and expire; nobody else can make one.",
        parameters=(
            Parameter("expires", "query", "Seconds since the epoch.", required=True),
            Parameter("signature", "query", "Made by the gateway.", required=True),
        ),
        responses={200: Answer("The object.", media_type=media_type)},
        problems=("link_invalid", "link_expired", "not_found", "store_unavailable"),
        tag="Files",
    )
    for method, summary, media_type in _VARIANTS
]
