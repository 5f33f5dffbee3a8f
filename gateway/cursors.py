"""Where a list goes on: the moment and the id of the last row that was told."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import InstrumentedAttribute

from gateway.errors import Problem


def cursor(at: datetime, row_id: str) -> str:
    """Return the cursor behind a row: text that is safe in a query string."""
    return base64.urlsafe_b64encode(f"{at.isoformat()} {row_id}".encode()).decode().rstrip("=")


def behind(
    text: str,
    at: InstrumentedAttribute[datetime],
    row_id: InstrumentedAttribute[Any],
    kind: Callable[[str], Any] = str,
) -> ColumnElement[bool]:
    """Return the condition for rows behind a cursor, in a list with the newest first. ``kind``
    reads an id as the column ``row_id`` holds it.

    Raises:
        Problem: ``invalid_request`` if it isn't a cursor of ours.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        moment, _, last = base64.urlsafe_b64decode(padded.encode("ascii")).decode().partition(" ")
        when = datetime.fromisoformat(moment)
        if when.tzinfo is None or not last.isalnum():
            raise ValueError("no cursor")
        last_id = kind(last)
    except (ValueError, binascii.Error):
        fault = {"field": "cursor", "message": "must be a next_cursor of an earlier answer"}
        raise Problem("invalid_request", fields=[fault]) from None
    return or_(at < when, and_(at == when, row_id < last_id))
