"""The link to a finished book that stands in a letter.

It names the order and is signed. It doesn't expire by itself: the order's ``download_until`` says
how long it leads to the file, each time by a fresh link that lives for minutes.
"""

from hashlib import sha256

from itsdangerous import BadSignature, Signer

_LONGEST_TOKEN = 256


class DownloadLinks:
    """Makes and reads links of the form ``{public_url}/d/{token}``."""

    def __init__(self, public_url: str, secret: str) -> None:
        self._base = public_url.rstrip("/") + "/d/"
        self._signer = Signer(
            secret, salt="foxetales.download-link", key_derivation="hmac", digest_method=sha256
        )

    def url(self, order_id: str) -> str:
        """Return the link of an order: always the same."""
        return self._base + self._signer.sign(order_id).decode()

    def order_id(self, token: str) -> str | None:
        """Return the order that a link's last part names; None if we didn't make it."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
