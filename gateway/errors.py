"""Errors as the gateway's callers see them.

Problem      carries one of the codes in PROBLEMS; answered as application/problem+json

Inside the gateway other errors are typed where they arise (``storage.errors``,
``gateway.ports.EndpointError`` …) and become a Problem at the edge, in ``gateway.http.problems``.
"""

from collections.abc import Mapping
from http import HTTPStatus

PROBLEMS: Mapping[str, tuple[HTTPStatus, str]] = {
    # the request itself
    "invalid_request": (HTTPStatus.UNPROCESSABLE_ENTITY, "The request is not valid"),
    "malformed_json": (HTTPStatus.BAD_REQUEST, "The body is not valid JSON"),
    "body_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large"),
    "unsupported_content_type": (
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "The content type is not supported",
    ),
    "not_found": (HTTPStatus.NOT_FOUND, "There is nothing here"),
    "method_not_allowed": (HTTPStatus.METHOD_NOT_ALLOWED, "The method is not allowed here"),
    "token_required": (HTTPStatus.UNAUTHORIZED, "A bearer token is required"),
    "idempotency_key_reused": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The idempotency key was used with another request",
    ),
    "rate_limited": (HTTPStatus.TOO_MANY_REQUESTS, "This was done too often"),
    "gpu_budget_spent": (
        HTTPStatus.TOO_MANY_REQUESTS,
        "More pictures were asked for than can be made at the moment",
    ),
    "api_key_required": (HTTPStatus.UNAUTHORIZED, "A shop's API key is required"),
    "api_key_invalid": (HTTPStatus.UNAUTHORIZED, "The API key is not valid"),
    # photos
    "no_face": (HTTPStatus.BAD_REQUEST, "No face was found in the photo"),
    "several_faces": (HTTPStatus.BAD_REQUEST, "More than one face was found in the photo"),
    "face_too_small": (HTTPStatus.BAD_REQUEST, "The face is too small in the photo"),
    "photo_too_large": (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The photo has too many bytes"),
    "photo_too_many_pixels": (HTTPStatus.BAD_REQUEST, "The photo has too many pixels"),
    "photo_type": (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The photo's file type is not supported"),
    "photo_broken": (HTTPStatus.BAD_REQUEST, "The photo can't be read"),
    "photo_animated": (HTTPStatus.BAD_REQUEST, "The photo is an animation"),
    "photo_missing": (HTTPStatus.BAD_REQUEST, "The request has no photo in the field 'file'"),
    "photo_unknown": (HTTPStatus.NOT_FOUND, "There is no such photo, or it has expired"),
    "consent_required": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The consent in its present version is required",
    ),
    # previews and jobs
    "book_unknown": (HTTPStatus.NOT_FOUND, "There is no such book"),
    "page_unknown": (HTTPStatus.NOT_FOUND, "The book has no such page"),
    "page_locked": (HTTPStatus.CONFLICT, "The page is not part of the preview"),
    "style_unknown": (HTTPStatus.UNPROCESSABLE_ENTITY, "The book has no such style"),
    "appearance_unknown": (HTTPStatus.UNPROCESSABLE_ENTITY, "There is no such appearance"),
    "preview_unknown": (HTTPStatus.NOT_FOUND, "There is no such preview, or it has expired"),
    "job_unknown": (HTTPStatus.NOT_FOUND, "There is no such job, or it has expired"),
    "job_not_failed": (HTTPStatus.CONFLICT, "Only a failed job can be retried"),
    "job_in_progress": (HTTPStatus.CONFLICT, "A job for this page is still running"),
    "preview_ordered": (HTTPStatus.CONFLICT, "A paid order of this preview isn't done yet"),
    "book_paid": (
        HTTPStatus.CONFLICT,
        "The book is paid: only the shop can have its pages painted anew",
    ),
    # orders
    "preview_not_ready": (HTTPStatus.CONFLICT, "The preview's pictures aren't all there yet"),
    "book_unprintable": (
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The book can't be printed with these words",
    ),
    "checkout_unknown": (HTTPStatus.NOT_FOUND, "There is no such checkout"),
    "checkout_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Nothing can be bought at the moment",
    ),
    "order_unknown": (HTTPStatus.NOT_FOUND, "There is no such order"),
    "order_state": (HTTPStatus.CONFLICT, "The order can't take this where it is"),
    "order_erased": (
        HTTPStatus.CONFLICT,
        "Whom the order is for was erased: it can only be cancelled",
    ),
    "file_unknown": (HTTPStatus.NOT_FOUND, "The order has no such file, or it was removed"),
    "download_not_ready": (HTTPStatus.CONFLICT, "The book isn't ready to be downloaded"),
    "download_over": (HTTPStatus.GONE, "The book can no longer be downloaded"),
    # the order desk
    "login_refused": (HTTPStatus.UNAUTHORIZED, "Name and password don't open the order desk"),
    "desk_session_over": (HTTPStatus.UNAUTHORIZED, "The login at the order desk is over"),
    "desk_forbidden": (HTTPStatus.FORBIDDEN, "This needs an operator"),
    # files
    "link_invalid": (HTTPStatus.NOT_FOUND, "There is nothing here"),
    "link_expired": (HTTPStatus.GONE, "The link has expired"),
    # callbacks
    "invalid_signature": (HTTPStatus.UNAUTHORIZED, "The signature is not valid"),
    "invalid_message": (HTTPStatus.UNPROCESSABLE_ENTITY, "The message is not valid"),
    "test_payment": (HTTPStatus.FORBIDDEN, "Payments in test mode are not taken here"),
    "shop_unknown": (HTTPStatus.NOT_FOUND, "There is no such shop"),
    "customer_required": (HTTPStatus.UNAUTHORIZED, "The customer must be logged in"),
    # the gateway's own troubles
    "store_full": (HTTPStatus.INSUFFICIENT_STORAGE, "The object store is full"),
    "store_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "The object store can't be reached"),
    "database_unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "The database can't be reached"),
    "not_ready": (HTTPStatus.SERVICE_UNAVAILABLE, "The service is not ready"),
    "internal": (HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side"),
}
"""Every code that the gateway answers with: stable, documented in docs/api.md."""


class Problem(Exception):
    """An error answer. ``detail`` is for a person; ``fields`` names the fields at fault.

    Neither ever repeats what was sent: names, photos and tokens don't belong in an answer that
    may be logged.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        fields: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.status, self.title = PROBLEMS[code]
        self.detail = detail
        self.fields = fields or []
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        """The application/problem+json document (RFC 9457)."""
        document: dict[str, object] = {
            "type": f"urn:foxetales:problem:{self.code}",
            "title": self.title,
            "status": int(self.status),
            "code": self.code,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.fields:
            document["errors"] = self.fields
        return document
