"""The link to a finished book that stands in a letter.

It names the order and is signed. It doesn't expire by itself: the order's ``download_until`` says
how long it leads to the file, each time by a fresh link that lives for minutes.
"""

from collections.abc import Sequence

from itsdangerous import BadSignature

from gateway.signers import signer

_LONGEST_TOKEN = 256


class DownloadLinks:
    """Makes and reads links of the form ``{public_url}/d/{token}``. The first of ``secrets``
    signs; all of them are believed."""

    def __init__(self, public_url: str, secrets: Sequence[str]) -> None:
        self._base = public_url.rstrip("/") + "/d/"
        self._signer = signer(secrets, "download-link")

    def url(self, order_id: str) -> str:
        """Return the link of an order: the same each time, while the secret is the same."""
        return self._base + self._signer.sign(order_id).decode()

    def order_id(self, token: str) -> str | None:
        """Return the order that a link's last part names; None if we didn't make it."""
        if len(token) > _LONGEST_TOKEN:
            return None
        try:
            return self._signer.unsign(token).decode()
        except (BadSignature, UnicodeError):
            return None
