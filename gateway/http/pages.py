"""The pages for people: trying the service out, and reading about its API."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from gateway.dedications import CHARACTERS_MAX
from gateway.http.openapi import Answer, Operation
from gateway.services import Services
from gateway.settings import Settings

_PACKAGE = Path(__file__).resolve().parent.parent
_CODE = re.compile(r"`([^`]+)`")


def _with_code(text: str) -> Markup:
    """Text with its `backticked` parts as code, everything else escaped."""
    return Markup(_CODE.sub(r"<code>\1</code>", escape(text)))  # noqa: S704  # escaped before


_templates = Jinja2Templates(directory=_PACKAGE / "templates")
_templates.env.filters["with_code"] = _with_code


async def home(request: Request) -> Response:
    """A page to try the service with: photo, book, name, progress, pages."""
    services: Services = request.app.state.services
    settings = services.settings
    context = {
        "max_megabytes": f"{settings.photo_max_bytes / 1e6:g}",
        "min_face_percent": f"{settings.face_min_area_percent:g}",
        "dedication_max": CHARACTERS_MAX,
        "consent_version": settings.consent_version,
        "consent_text": settings.consent_text or _what_is_done_with_a_photo(settings),
    }
    return _page(request, "home.html", context)


def _what_is_done_with_a_photo(settings: Settings) -> str:
    """The text beside the box to tick, where the operator has written none."""
    return (
        "I am the child's parent or guardian. I agree that the photo is kept, and the child's face "
        "measured in it, so that artificial intelligence can paint this book. Neither is used for "
        "anything else. What was measured is removed after a day, and the photo after "
        f"{settings.preview_life_days:g} days. If I buy the book, both are kept until it is made; "
        f"the photo is removed {settings.order_photo_life_days:g} days after the payment, or when "
        "the order is done if that is later. I can ask to have everything removed earlier."
    )


async def docs(request: Request) -> Response:
    """The OpenAPI document for people."""
    document: dict[str, Any] = request.app.state.openapi
    return _page(request, "docs.html", {"document": document, "groups": _groups(document)})


async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return JSONResponse(request.app.state.openapi, headers={"Cache-Control": "no-cache"})


def _page(request: Request, template: str, context: dict[str, Any]) -> Response:
    services: Services = request.app.state.services
    public = urlsplit(str(services.settings.public_url))
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(f"{public.scheme}://{public.netloc}"),
    }
    return _templates.TemplateResponse(request, template, context, headers=headers)


def _policy(public_origin: str) -> str:
    """Own scripts and styles only; pictures also from where links to files lead."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src 'self' blob: {public_origin}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _groups(document: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The document's operations by their tag, in the document's order."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            entry = {"method": method.upper(), "path": path, **operation}
            groups.setdefault(operation["tags"][0], []).append(entry)
    return groups


routes: list[BaseRoute] = [
    Route("/", home, methods=["GET"]),
    Route("/docs", docs, methods=["GET"]),
    Route("/openapi.json", openapi, methods=["GET"]),
    Mount("/static", StaticFiles(directory=_PACKAGE / "static"), name="static"),
]

operations = [
    Operation(
        method="get",
        path=path,
        operation_id=operation_id,
        summary=summary,
        responses={200: Answer("The page.", media_type=media_type)},
        tag="Pages",
    )
    for path, operation_id, summary, media_type in (
        ("/", "home", "A page to try the service with", "text/html"),
        ("/docs", "docs", "This API for people", "text/html"),
        ("/openapi.json", "openapi", "This API for machines", "application/json"),
    )
]
