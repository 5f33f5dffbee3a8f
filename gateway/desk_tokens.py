"""Tokens of the order desk: signed JSON Web Tokens that end after some hours."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey

from gateway.ports import Clock

_ALGORITHM: Final = "HS256"
_ISSUER: Final = "foxetales"
_AUDIENCE: Final = "foxetales-desk"
_LONGEST_TOKEN: Final = 2048


@dataclass(frozen=True)
class Claims:
    """Who a token was given to, and in which epoch of that user: tokens of older epochs are
    worthless."""

    username: str
    epoch: int


class DeskTokens:
    """Issues and verifies tokens. The first of ``secrets`` signs; all of them verify, so that a
    secret can be replaced while people work."""

    def __init__(self, secrets: Sequence[str], life: timedelta, clock: Clock) -> None:
        keys = [_key(secret) for secret in secrets]
        self._first = keys[0]
        self._keys = KeySet(list(keys))
        self._life = life
        self._clock = clock

    def issue(self, username: str, epoch: int) -> tuple[str, datetime]:
        """Return a token and when it ends."""
        now = self._clock.now()
        ends = now + self._life
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": username,
            "epoch": epoch,
            "iat": int(now.timestamp()),
            "exp": int(ends.timestamp()),
        }
        header = {"alg": _ALGORITHM, "kid": self._first.kid}
        return jwt.encode(header, claims, self._first, algorithms=[_ALGORITHM]), ends

    def verify(self, token: str) -> Claims | None:
        """Return who holds ``token``; None if we didn't issue it, or it ended."""
        if len(token) > _LONGEST_TOKEN:
            return None
        rules = jwt.JWTClaimsRegistry(
            now=int(self._clock.now().timestamp()),
            iss={"essential": True, "value": _ISSUER},
            aud={"essential": True, "value": _AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
            epoch={"essential": True},
        )
        try:
            claims = jwt.decode(token, self._keys, algorithms=[_ALGORITHM]).claims
            rules.validate(claims)
        except (JoseError, ValueError):
            return None
        username, epoch = claims["sub"], claims["epoch"]
        if not isinstance(username, str) or not isinstance(epoch, int):
            return None
        return Claims(username, epoch)


def derived_secret(app_secret: str) -> str:
    """The secret of the desk where none is set: made of the gateway's own, for nothing else."""
    return hmac.new(app_secret.encode(), b"foxetales.desk-tokens", hashlib.sha256).hexdigest()


def _key(secret: str) -> OctKey:
    # The id tells keys apart, and nothing of the secret: it is a hash of something strong.
    kid = hashlib.sha256(b"kid:" + secret.encode()).hexdigest()[:16]
    return OctKey.import_key(secret, {"kid": kid, "alg": _ALGORITHM, "use": "sig"})
