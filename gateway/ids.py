"""Ids that can't be guessed."""

import secrets


def new_id() -> str:
    """Return a fresh id: 128 random bits as 32 hexadecimal characters."""
    return secrets.token_hex(16)
