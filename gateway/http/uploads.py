"""POST /api/upload-photo."""

from datetime import datetime
from typing import Literal

import anyio
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import Problem
from gateway.http.api_keys import calling_shop
from gateway.http.openapi import Answer, Operation
from gateway.services import Services
from gateway.uploads import take_in

PATH = "/api/upload-photo"
FRAMING_BYTES = 64 * 1024
"""What a multipart body may have around the photo: boundaries, part headers, small fields."""

_FIELD = "file"
_CONSENT = "consent"


class UploadedPhoto(BaseModel):
    """A photo that was taken in. Sizes in pixels; ``photo_url`` is an expiring link."""

    success: Literal[True] = True
    photo_id: str
    photo_url: str
    face_detected: Literal[True] = True
    face_confidence: float = Field(ge=0, le=1)
    face_area_percent: float = Field(ge=0, le=100)
    width: int
    height: int
    expires_at: datetime


async def upload_photo(request: Request) -> Response:
    """Take in the photo in the multipart field ``file``."""
    services: Services = request.app.state.services
    await calling_shop(request)
    data, consent = await _uploaded(request, services.settings.photo_max_bytes)
    # Decoding and detection take a core for about a second: two at once, off the event loop.
    photo = await anyio.to_thread.run_sync(
        take_in, services, data, consent, limiter=request.app.state.photo_limiter
    )
    answer = UploadedPhoto(
        photo_id=photo.photo_id,
        photo_url=services.links.url(photo.key),
        face_confidence=round(photo.face_confidence, 4),
        face_area_percent=round(photo.face_area_percent, 2),
        width=photo.width,
        height=photo.height,
        expires_at=photo.expires_at,
    )
    return JSONResponse(answer.model_dump(mode="json"), headers={"Cache-Control": "no-store"})


async def _uploaded(request: Request, max_bytes: int) -> tuple[bytes, str | None]:
    """The photo's bytes, and the consent that was named."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Problem("unsupported_content_type", "Send the photo as multipart/form-data.")
    parser = MultiPartParser(request.headers, request.stream(), max_files=1, max_fields=8)
    # A child's photo stays in memory: Starlette would spool it to a temporary file on disk.
    parser.spool_max_size = max_bytes + FRAMING_BYTES
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem("invalid_request", error.message) from None
    try:
        upload = form.get(_FIELD)
        if not isinstance(upload, UploadFile) or not (upload.filename or upload.size):
            raise Problem("photo_missing")
        consent = form.get(_CONSENT)
        return await upload.read(), consent if isinstance(consent, str) and consent else None
    finally:
        await form.close()


routes: list[BaseRoute] = [Route(PATH, upload_photo, methods=["POST"])]

operations = [
    Operation(
        method="post",
        path=PATH,
        operation_id="upload_photo",
        summary="Upload a photo of the child",
        description=(
            "JPEG, PNG, WebP or HEIC with exactly one face. The picture is rebuilt from its "
            "pixels, so that no metadata is kept. A face with less than a fifth of the largest "
            "one's area counts as a passer-by."
        ),
        request_content={
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [_FIELD],
                    "properties": {
                        _FIELD: {"type": "string", "contentMediaType": "application/octet-stream"},
                        _CONSENT: {
                            "type": "string",
                            "description": "The version of the text that the parent agreed to.",
                        },
                    },
                }
            }
        },
        responses={200: Answer("The photo was taken in.", UploadedPhoto)},
        problems=(
            "photo_too_large",
            "photo_type",
            "photo_broken",
            "photo_animated",
            "photo_too_many_pixels",
            "photo_missing",
            "consent_required",
            "no_face",
            "several_faces",
            "face_too_small",
            "unsupported_content_type",
            "invalid_request",
            "api_key_required",
            "api_key_invalid",
            "store_full",
            "store_unavailable",
            "database_unavailable",
        ),
    )
]
