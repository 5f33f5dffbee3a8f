"""Bearer tokens: who holds a preview's token may see and steer that preview, nothing else."""

from collections.abc import Sequence
from functools import lru_cache

from itsdangerous import BadSignature

from gateway.signers import signer

_CACHED_TOKENS = 8192
_LONGEST_TOKEN = 256


class Tokens:
    """Issues and verifies the tokens of previews.

    A token is the preview id and an HMAC-SHA256 of it. It doesn't expire by itself: the preview
    does. The same preview always has the same token, so that a replayed request with an
    ``Idempotency-Key`` gets the answer it got before. The first of ``secrets`` signs; all of them
    verify.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._signer = signer(secrets, "preview-token")
        # Polls carry the same token again and again; verifying it once is enough.
        self._verified = lru_cache(maxsize=_CACHED_TOKENS)(self._verify)

    def issue(self, preview_id: str) -> str:
        """Return the token of a preview."""
        return self._signer.sign(preview_id).decode()

    def preview_id(self, token: str) -> str | None:
        """Return the id of the preview that ``token`` was issued for; None if it wasn't."""
        if len(token) > _LONGEST_TOKEN:
            return None
        return self._verified(token)

    def _verify(self, token: str) -> str | None:
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
