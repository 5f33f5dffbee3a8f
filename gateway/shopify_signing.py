"""How Shopify signs what it sends. Pure.

Several client secrets may be in use while one is rotated. Only what is named here is covered by a
signature: of a webhook its body, not its headers.
"""

import hmac
from base64 import b64decode
from collections.abc import Iterable, Sequence
from hashlib import sha256


def webhook_is_signed(secrets: Sequence[str], body: bytes, signature: str) -> bool:
    """Whether ``signature``, the header ``X-Shopify-Hmac-Sha256``, is the base64 HMAC-SHA256 of the
    raw body."""
    try:
        given = b64decode(signature.encode("ascii"), validate=True)
    except ValueError:
        return False
    return _fits(secrets, body, given)


def proxy_is_signed(secrets: Sequence[str], query: Iterable[tuple[str, str]]) -> bool:
    """Whether the query of a request through the app proxy is signed: its ``signature`` is the
    hexadecimal HMAC-SHA256 of all other parameters, sorted, as ``name=value`` one behind the other.
    The values of a name that comes several times are joined by commas."""
    values: dict[str, list[str]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    signatures = values.pop("signature", [])
    if len(signatures) != 1:
        return False
    text = "".join(sorted(f"{name}={','.join(each)}" for name, each in values.items()))
    try:
        given = bytes.fromhex(signatures[0])
    except ValueError:
        return False
    return _fits(secrets, text.encode(errors="replace"), given)


def _fits(secrets: Sequence[str], text: bytes, given: bytes) -> bool:
    fits = [
        hmac.compare_digest(hmac.new(secret.encode(), text, sha256).digest(), given)
        for secret in secrets
    ]
    return any(fits)
