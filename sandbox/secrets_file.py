"""The sandbox's own secrets, made once for a state directory and kept there."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


class InvalidSecrets(ValueError):
    """The secrets file is not ours or is damaged; the message names it."""


@dataclass(frozen=True)
class Secrets:
    """Random values; `callback_secret` is in the form of Standard Webhooks (`whsec_…`)."""

    api_key: str = field(repr=False)
    worker_key: str = field(repr=False)
    webhook_token: str = field(repr=False)
    app_secret: str = field(repr=False)
    callback_secret: str = field(repr=False)
    stripe_key: str = field(repr=False)
    stripe_webhook_secret: str = field(repr=False)

    @classmethod
    def fresh(cls) -> "Secrets":
        """New ones, 256 bits each."""
        return cls(
            api_key=secrets.token_urlsafe(32),
            worker_key=secrets.token_urlsafe(32),
            webhook_token=secrets.token_urlsafe(32),
            app_secret=secrets.token_urlsafe(32),
            callback_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
            stripe_key=f"sk_test_{secrets.token_hex(32)}",
            stripe_webhook_secret=f"whsec_{secrets.token_hex(32)}",
        )


def load_or_create(path: Path) -> Secrets:
    """Read the secrets at `path`; made there with mode 0600 if there are none. What a file from
    before lacks is added to it.

    Raises InvalidSecrets, OSError.
    """
    known = _load(path) if path.exists() else {}
    made = Secrets(**{**asdict(Secrets.fresh()), **known})
    if asdict(made) != known:
        _write(path, made)
    return made


def _write(path: Path, made: Secrets) -> None:
    # Written aside and renamed: whoever is interrupted leaves no half of a file.
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(made), file, indent=2)
    partial.rename(path)


def _load(path: Path) -> dict[str, str]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidSecrets(f"{path} is not JSON; remove it to get new secrets") from error
    names = {each.name for each in fields(Secrets)}
    if not isinstance(content, dict) or not content or not set(content) <= names:
        raise InvalidSecrets(f"{path} must hold {', '.join(sorted(names))}, and nothing else")
    if not all(isinstance(value, str) and value for value in content.values()):
        raise InvalidSecrets(f"{path} holds an empty secret")
    path.chmod(0o600)
    return content
