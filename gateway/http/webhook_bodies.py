"""What others post to us, before anything of it is believed."""

import re
from typing import Literal

from pydantic import BaseModel
from starlette.requests import Request

from gateway.errors import Problem


class Received(BaseModel):
    """A webhook is recorded."""

    received: Literal[True] = True


_ID = re.compile(r"[!-~]{1,255}")


def text_of(body: bytes) -> str:
    """Return a raw body as text.

    Raises:
        Problem: ``malformed_json`` if it isn't UTF-8, or has a NUL, which no JSON has.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Problem("malformed_json") from None
    if "\0" in text:
        raise Problem("malformed_json")
    return text


def message_header(request: Request, name: str) -> str:
    """Return a header that names a message: 1–255 visible ASCII characters.

    Raises:
        Problem: ``invalid_message`` if it is missing or of another form.
    """
    value = request.headers.get(name, "")
    if not _ID.fullmatch(value):
        raise Problem("invalid_message", f"The header {name} is missing or malformed.")
    return value
