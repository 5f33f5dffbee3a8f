"""How long a service asks us to wait."""

import email.utils
from datetime import UTC, datetime

import httpx


def retry_after_s(answer: httpx.Response) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or an HTTP date (RFC 9110); None if
    there is none, or it makes no sense."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:6])
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
