"""What our own tokens and links are signed by: HMAC-SHA256 under APP_SECRET."""

from collections.abc import Sequence
from hashlib import sha256

from itsdangerous import Signer


def signer(secrets: Sequence[str], purpose: str) -> Signer:
    """Return what signs by the first of ``secrets`` and believes all of them, so that a secret can
    be replaced while links made by the one before are still out.

    ``purpose`` goes into the key: what was signed for one is worth nothing for another.
    """
    oldest_first = list(reversed(secrets))
    return Signer(
        oldest_first, salt=f"foxetales.{purpose}", key_derivation="hmac", digest_method=sha256
    )
