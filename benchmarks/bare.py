"""The least that Starlette can do: one route, one JSON document, no state."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

DOCUMENT = {
    "job_id": "0" * 32,
    "preview_id": "1" * 32,
    "status": "queued",
    "progress": 0,
    "current_step": "waiting for a worker",
    "pages_completed": 0,
    "total_pages": 3,
    "estimated_remaining_seconds": 20,
    "pages": [{"page_number": number, "status": "pending"} for number in (1, 2, 3)],
    "error": None,
    "draft": True,
}


async def status(_: Request) -> JSONResponse:
    """The document, encoded anew for each request."""
    return JSONResponse(DOCUMENT)


app = Starlette(routes=[Route("/status", status)])
