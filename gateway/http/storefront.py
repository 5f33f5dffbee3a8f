"""Books, appearances and previews, as the shop uses them."""

import anyio.to_thread
from pydantic import BaseModel
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.etags import matches, strong_etag
from gateway.http.api_keys import calling_shop
from gateway.http.auth import require_token
from gateway.http.bodies import idempotency_key, read_json
from gateway.http.openapi import Answer, Operation, Parameter
from gateway.looks import Look
from gateway.parent_orders import download_url
from gateway.preview_document import DRAFT_LABEL, book_summary, preview_document
from gateway.preview_images import make_missing
from gateway.previews import PREVIEW, Queued, create_preview, request_page, retry
from gateway.records import AS_PAINTED, Job, Page, Preview, reading
from gateway.schema import (
    AppearanceList,
    AppearanceOption,
    BookList,
    JobAccepted,
    PageRequest,
    PreviewDocument,
    PreviewRequest,
)
from gateway.services import Services
from gateway.status_board import SECONDS_PER_PAGE
from gateway.stop_jobs import stop_cancelled
from gateway.unlocked import takes_in_book, unlocking_order

_RETRY_AFTER_S = "2"


async def list_books(request: Request) -> Response:
    """The books on offer."""
    services: Services = request.app.state.services
    draft = services.settings.page_look is Look.DRAFT
    books = [book_summary(book, draft=draft) for book in services.books.all()]
    return _cacheable(request, BookList(books=books))


async def list_appearances(request: Request) -> Response:
    """The appearances that a parent may choose from."""
    services: Services = request.app.state.services
    listed = [AppearanceOption(id=a.id, label=a.label) for a in services.books.appearances()]
    return _cacheable(request, AppearanceList(appearances=listed))


async def post_preview(request: Request) -> Response:
    """Queue a preview."""
    services: Services = request.app.state.services
    shop_id = await calling_shop(request)
    wanted = await read_json(request, PreviewRequest)
    key = idempotency_key(request)
    queued = await anyio.to_thread.run_sync(create_preview, services, wanted, key, shop_id)
    return await _accepted(services, queued)


async def post_page(request: Request) -> Response:
    """Queue another take of a page."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    wanted = await read_json(request, PageRequest)
    if preview_id != wanted.preview_id:
        raise Problem("preview_unknown")
    key = idempotency_key(request)
    queued = await anyio.to_thread.run_sync(request_page, services, wanted, key)
    return await _accepted(services, queued)


async def post_retry(request: Request) -> Response:
    """Queue a failed job again."""
    services: Services = request.app.state.services
    preview_id = require_token(request)
    job_id = request.path_params["job_id"]
    queued = await anyio.to_thread.run_sync(retry, services, job_id, preview_id)
    return await _accepted(services, queued)


async def get_preview(request: Request) -> Response:
    """The preview: texts, pictures, price."""
    services: Services = request.app.state.services
    preview_id = request.path_params["preview_id"]
    if require_token(request) != preview_id:
        raise Problem("preview_unknown")
    document = await anyio.to_thread.run_sync(_document, services, preview_id)
    return _json(document, headers={"Cache-Control": "private, no-store"})


def _document(services: Services, preview_id: str) -> PreviewDocument:
    now = services.clock.now()
    with reading(services.engine) as session:
        preview = session.get(Preview, preview_id)
        if preview is None or preview.erased_at is not None:
            raise Problem("preview_unknown")
    if preview.expires_at > now:
        make_missing(services, preview_id)
    with reading(services.engine) as session:
        job = session.scalars(
            select(Job).where(Job.preview_id == preview_id, Job.kind == PREVIEW)
        ).one()
        pages = session.scalars(
            select(Page).where(Page.preview_id == preview_id, Page.variant == AS_PAINTED)
        ).all()
        order = unlocking_order(session, preview_id)
        return preview_document(
            preview,
            job,
            pages,
            services.books.book(preview.book_id),
            in_book=takes_in_book(session, order),
            link=services.links.url,
            pdf_url=download_url(services, order) if order else None,
            now=now,
        )


async def delete_preview(request: Request) -> Response:
    """Remove the preview with all that belongs to it."""
    services: Services = request.app.state.services
    preview_id = request.path_params["preview_id"]
    if require_token(request) != preview_id:
        raise Problem("preview_unknown")
    jobs = await anyio.to_thread.run_sync(services.erasure.erase_preview, preview_id)
    await stop_cancelled(services.engine, services.clock, services.endpoint)
    for job_id in jobs:
        await services.board.publish(job_id)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


async def _accepted(services: Services, queued: Queued) -> Response:
    services.dispatcher.wake()
    await services.board.publish(queued.job_id)
    base = str(services.settings.public_url).rstrip("/")
    status_url = f"{base}/api/preview-status/{queued.job_id}"
    answer = JobAccepted(
        job_id=queued.job_id,
        preview_id=queued.preview_id,
        estimated_time_seconds=queued.pages * SECONDS_PER_PAGE,
        message=DRAFT_LABEL if queued.draft else "The pictures are being made.",
        access_token=services.tokens.issue(queued.preview_id),
        status_url=status_url,
        events_url=f"{status_url}/events",
        preview_url=f"{base}/api/preview/{queued.preview_id}",
        draft=queued.draft,
    )
    headers = {
        "Location": status_url,
        "Retry-After": _RETRY_AFTER_S,
        "Cache-Control": "private, no-store",
    }
    return _json(answer, status=202, headers=headers)


def _cacheable(request: Request, document: BaseModel) -> Response:
    """A document that is the same for everybody."""
    body = document.model_dump_json().encode()
    etag = strong_etag(body)
    headers = {"ETag": etag, "Cache-Control": "public, max-age=60"}
    if matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _json(document: BaseModel, *, headers: dict[str, str], status: int = 200) -> Response:
    return Response(
        document.model_dump_json(), status, headers=headers, media_type="application/json"
    )


routes: list[BaseRoute] = [
    Route("/api/books", list_books, methods=["GET"]),
    Route("/api/appearances", list_appearances, methods=["GET"]),
    Route("/api/preview", post_preview, methods=["POST"]),
    Route("/api/preview/{job_id}/retry", post_retry, methods=["POST"]),
    Route("/api/preview/{preview_id}", get_preview, methods=["GET"]),
    Route("/api/preview/{preview_id}", delete_preview, methods=["DELETE"]),
    Route("/api/generate-page", post_page, methods=["POST"]),
]

_IDEMPOTENCY = Parameter(
    "Idempotency-Key",
    "header",
    "1–255 visible characters. The same key with the same body gets the same answer again.",
)
_ACCEPTED = Answer(
    "The job is queued.",
    JobAccepted,
    headers={"Location": "Where its status is.", "Retry-After": "Seconds until the first poll."},
)
_IF_NONE_MATCH = Parameter("If-None-Match", "header", "ETags that the caller has.")
_UNCHANGED = Answer("Nothing changed.")
_LIST_HEADERS = {"ETag": "Changes with the list."}
_TROUBLES = ("database_unavailable",)
_BODY = ("invalid_request", "malformed_json", "unsupported_content_type")

operations = [
    Operation(
        method="get",
        path="/api/books",
        operation_id="list_books",
        summary="List the books on offer",
        responses={
            200: Answer("The books.", BookList, headers=_LIST_HEADERS),
            304: _UNCHANGED,
        },
        parameters=(_IF_NONE_MATCH,),
    ),
    Operation(
        method="get",
        path="/api/appearances",
        operation_id="list_appearances",
        summary="List the appearances that a parent may choose from",
        description="An id of it goes into a preview's `appearance`; leaving it out is fine.",
        responses={
            200: Answer("The appearances.", AppearanceList, headers=_LIST_HEADERS),
            304: _UNCHANGED,
        },
        parameters=(_IF_NONE_MATCH,),
    ),
    Operation(
        method="post",
        path="/api/preview",
        operation_id="create_preview",
        summary="Ask for the preview of a book",
        description=(
            "The answer's access_token opens this preview and nothing else. `theme` is accepted "
            "as another name of `book_id`."
        ),
        request_model=PreviewRequest,
        responses={202: _ACCEPTED},
        parameters=(_IDEMPOTENCY,),
        problems=(
            "photo_unknown",
            "book_unknown",
            "style_unknown",
            "appearance_unknown",
            "api_key_required",
            "api_key_invalid",
            "gpu_budget_spent",
            "idempotency_key_reused",
            *_BODY,
            *_TROUBLES,
        ),
    ),
    Operation(
        method="get",
        path="/api/preview/{preview_id}",
        operation_id="get_preview",
        summary="Get a preview: texts, watermarked pictures, price",
        description=(
            "Picture links expire; fetch the preview again for fresh ones. Once the book is paid, "
            "its pages appear without a mark, the locked ones as they are painted."
        ),
        responses={200: Answer("The preview.", PreviewDocument)},
        security="preview_token",
        problems=("token_required", "preview_unknown", "store_unavailable", *_TROUBLES),
    ),
    Operation(
        method="delete",
        path="/api/preview/{preview_id}",
        operation_id="delete_preview",
        summary="Remove a preview: photo, pictures, name",
        description=(
            "What is being painted is stopped. The photo stays only where another preview of the "
            "same parent needs it. A preview of which a paid order is open stays."
        ),
        responses={204: Answer("It is gone.")},
        security="preview_token",
        problems=(
            "token_required",
            "preview_unknown",
            "preview_ordered",
            "rate_limited",
            *_TROUBLES,
        ),
    ),
    Operation(
        method="post",
        path="/api/preview/{job_id}/retry",
        operation_id="retry_job",
        summary="Try a failed job again",
        description="Only pages that are missing are rendered.",
        responses={202: _ACCEPTED},
        security="preview_token",
        problems=(
            "token_required",
            "job_unknown",
            "job_not_failed",
            "book_paid",
            "photo_unknown",
            "gpu_budget_spent",
            *_TROUBLES,
        ),
    ),
    Operation(
        method="post",
        path="/api/generate-page",
        operation_id="generate_page",
        summary="Ask for another take of a preview page",
        description=(
            "When it is completed it becomes the page that the preview shows. Once the book is "
            "paid, only the order desk has pages painted anew."
        ),
        request_model=PageRequest,
        responses={202: _ACCEPTED},
        parameters=(_IDEMPOTENCY,),
        security="preview_token",
        problems=(
            "token_required",
            "preview_unknown",
            "photo_unknown",
            "page_unknown",
            "page_locked",
            "book_paid",
            "job_in_progress",
            "gpu_budget_spent",
            "idempotency_key_reused",
            *_BODY,
            *_TROUBLES,
        ),
    ),
]
