"""Links to stored objects that expire and can't be made up."""

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from gateway.errors import Problem
from gateway.ports import Clock
from gateway.signers import signer

_LONGEST_EXPIRY = 12  # digits: no date that a person will see has more


class Links:
    """Makes and checks links of the form ``{public_url}/files/{key}?expires=…&signature=…``.

    ``expires`` is in seconds since the epoch; ``signature`` is an HMAC-SHA256 of key and expiry.
    The first of ``secrets`` signs; all of them are believed.
    """

    def __init__(self, public_url: str, secrets: Sequence[str], life_s: int, clock: Clock) -> None:
        self._base = public_url.rstrip("/") + "/files/"
        self._life = timedelta(seconds=life_s)
        self._clock = clock
        self._signer = signer(secrets, "file-link")

    def url(self, key: str, life: timedelta | None = None) -> str:
        """Return an absolute link to the object under ``key``, good for ``life``, or else for
        ``life_s`` seconds."""
        expires = str(int((self._clock.now() + (life or self._life)).timestamp()))
        signature = self._signer.get_signature(_signed_text(key, expires)).decode()
        return f"{self._base}{key}?{urlencode({'expires': expires, 'signature': signature})}"

    def check(self, key: str, expires: str, signature: str) -> None:
        """Check the parts of a link that came back.

        Raises:
            Problem: ``link_invalid`` if we didn't make it, ``link_expired`` if its time is over.
        """
        well_formed = expires.isascii() and expires.isdigit() and len(expires) <= _LONGEST_EXPIRY
        if not (
            well_formed and self._signer.verify_signature(_signed_text(key, expires), signature)
        ):
            raise Problem("link_invalid")
        if self._clock.now().timestamp() >= int(expires):
            raise Problem("link_expired")


def _signed_text(key: str, expires: str) -> str:
    return f"{expires}\n{key}"
