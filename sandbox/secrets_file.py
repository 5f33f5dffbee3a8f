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

    @classmethod
    def fresh(cls) -> "Secrets":
        """New ones, 256 bits each."""
        return cls(
            api_key=secrets.token_urlsafe(32),
            worker_key=secrets.token_urlsafe(32),
            webhook_token=secrets.token_urlsafe(32),
            app_secret=secrets.token_urlsafe(32),
            callback_secret="whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        )


def load_or_create(path: Path) -> Secrets:
    """Read the secrets at `path`; made there with mode 0600 if there are none.

    Raises InvalidSecrets, OSError.
    """
    if path.exists():
        return _load(path)
    made = Secrets.fresh()
    # Written aside and renamed: whoever is interrupted leaves no half of a file.
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(made), file, indent=2)
    partial.rename(path)
    return made


def _load(path: Path) -> Secrets:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidSecrets(f"{path} is not JSON; remove it to get new secrets") from error
    names = {each.name for each in fields(Secrets)}
    if not isinstance(content, dict) or set(content) != names:
        raise InvalidSecrets(f"{path} must hold exactly {', '.join(sorted(names))}")
    if not all(isinstance(value, str) and value for value in content.values()):
        raise InvalidSecrets(f"{path} holds an empty secret")
    path.chmod(0o600)
    return Secrets(**content)
