"""Entity tags (RFC 9110, 8.8.3)."""

import hashlib


def strong_etag(body: bytes) -> str:
    """Return the strong ETag of an answer's bytes, with its quotes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names ``etag``, by weak comparison (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    listed = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in listed or "*" in listed
