"""Reading and writing JSON bodies."""

import json
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import JSONResponse

from sandbox.control_plane.errors import BadRequest, PayloadTooLarge
from sandbox.control_plane.limits import MEBIBYTE

# So much of a body that is too large is still read, so that the client gets to see the answer.
DRAINED = 64 * MEBIBYTE


class Json(JSONResponse):
    """JSON in plain ASCII: an unpaired surrogate that a worker sent can't break the answer."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """The JSON object in the body, whatever content type it claims to have.

    The SDK posts JSON as `application/x-www-form-urlencoded`.
    Raises PayloadTooLarge over `limit` bytes, BadRequest for anything but an object.
    """
    body = await _read(request, limit)
    try:
        content = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not valid JSON") from error
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    return content


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > DRAINED:
            break
    if size > limit:
        raise PayloadTooLarge(f"the body is larger than {limit // MEBIBYTE} MiB")
    return bytes(body)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
