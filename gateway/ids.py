"""Ids that can't be guessed, and ids that are always the same."""

import hashlib
import secrets


def new_id() -> str:
    """Return a fresh id: 128 random bits as 32 hexadecimal characters."""
    return secrets.token_hex(16)


def id_of(*names: str) -> str:
    """Return the id of what has these names in the world outside: always the same, of the form of
    ``new_id``. Who knows the names can work it out: it is no secret."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:32]
