"""Reading what callers send."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from gateway.errors import Problem

IDEMPOTENCY_KEY_MAX = 255

_Model = TypeVar("_Model", bound=BaseModel)


async def read_json(request: Request, model: type[_Model]) -> _Model:
    """Return the request's JSON body as a ``model``.

    Raises:
        Problem: ``unsupported_content_type``, ``malformed_json``.
        ValidationError: the fields are wrong; answered as ``invalid_request``.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem("unsupported_content_type", "Send application/json.")
    body = await request.body()
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_input=False)):
            raise Problem("malformed_json") from None
        raise


def idempotency_key(request: Request) -> str | None:
    """Return the request's Idempotency-Key: 1–255 visible ASCII characters, or None.

    Raises:
        Problem: ``invalid_request`` for a key of another form.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip()
    visible = key.isascii() and key.isprintable()
    if not (1 <= len(key) <= IDEMPOTENCY_KEY_MAX and visible):
        raise Problem(
            "invalid_request",
            fields=[
                {
                    "field": "Idempotency-Key",
                    "message": f"must have 1 to {IDEMPOTENCY_KEY_MAX} visible characters",
                }
            ],
        )
    return key
