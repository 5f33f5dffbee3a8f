"""Signing of worker → gateway callbacks, by Standard Webhooks.

Headers ``webhook-id``, ``webhook-timestamp`` (seconds since the epoch) and ``webhook-signature``
(``v1,`` and a base64 HMAC-SHA256 of ``id.timestamp.body``). A timestamp more than five minutes
away is refused. The package ``standardwebhooks`` does the cryptography; this module only makes
its many ways to fail into one.
"""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook, WebhookVerificationError


class InvalidSignature(Exception):
    """The callback is unsigned, signed with another secret, changed, or too old or new."""


def new_secret() -> str:
    """Return a fresh signing secret of 32 random bytes, in the ``whsec_…`` form."""
    return "whsec_" + b64encode(secrets.token_bytes(32)).decode()


def check_secret(secret: str) -> None:
    """Check that ``secret`` has the ``whsec_…`` form with 24–64 bytes in base64.

    Raises:
        ValueError: it has not.
    """
    if not secret.startswith("whsec_"):
        raise ValueError("a callback secret starts with whsec_")
    try:
        size = len(b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        raise ValueError("a callback secret is whsec_ followed by base64") from None
    if not 24 <= size <= 64:
        raise ValueError(f"a callback secret has 24 to 64 bytes, not {size}")


def sign(secret: str, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the three headers that sign ``body`` (UTF-8). ``now`` is timezone-aware."""
    moment = now.astimezone(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def verify(secrets_: Sequence[str], headers: Mapping[str, str], body: bytes) -> str:
    """Return the message id of a callback that one of ``secrets_`` signed.

    Several secrets are tried, so that a secret can be rotated without losing a callback.

    Raises:
        InvalidSignature: no secret fits, a header is missing or malformed, the body isn't UTF-8,
            or the timestamp is more than five minutes from now.
    """
    reason = "no callback secret is configured"
    for secret in secrets_:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
        except WebhookVerificationError as error:
            reason = str(error)
        except ValueError:  # malformed base64, UTF-8 or signature list, inside the package
            reason = "malformed signature headers or body"
        else:
            return {name.lower(): value for name, value in headers.items()}["webhook-id"]
    raise InvalidSignature(reason)
