"""Ids in paths."""

import re
from typing import Final

from starlette.requests import Request

from gateway.errors import Problem

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def path_id(request: Request, name: str, unknown: str) -> str:
    """Return the id in the request's path.

    Raises:
        Problem: ``unknown``, if it can't be an id of ours: SQL needn't be asked.
    """
    text: str = request.path_params[name]
    if not _ID.fullmatch(text):
        raise Problem(unknown)
    return text
