"""Settings of the deploy commands, from a mapping such as ``os.environ``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from contract.variables import REQUIRED, Variable
from deploy.errors import SettingsInvalid

_REST_URL: Final = "https://api.runpod.io/v2"

VARIABLES: Final = (
    Variable("RUNPOD_API_KEY", "RunPod API key that may change endpoints.", shown=REQUIRED),
    Variable("RUNPOD_REST_URL", "RunPod's REST API, version 2.", default=_REST_URL),
    Variable(
        "RUNPOD_ENDPOINT_ID",
        "The endpoint that is meant.",
        shown="the one with the file's `name`",
    ),
    Variable(
        "JOB_DEADLINE_S",
        "The gateway's setting, which the endpoint's `timeout_s` has to leave room for.",
        default="600",
    ),
)
"""Every variable that is read beside those that the endpoint's file names in ``secret_env``."""

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Settings:
    """Who asks RunPod, where, and about which endpoint. ``job_deadline_s`` is in seconds."""

    api_key: str = field(repr=False)
    rest_url: str
    endpoint_id: str | None
    job_deadline_s: float


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Return the settings; an empty value counts as absent.

    Raises:
        SettingsInvalid: names every variable at fault.
    """
    problems = []
    api_key = environ.get("RUNPOD_API_KEY", "").strip()
    if not api_key:
        problems.append("RUNPOD_API_KEY is missing")
    elif not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        problems.append("RUNPOD_API_KEY has a character that no key has")
    rest_url = (environ.get("RUNPOD_REST_URL", "").strip() or _REST_URL).rstrip("/")
    if not _safe_for_a_key(rest_url):
        problems.append("RUNPOD_REST_URL must begin with https://: the key is sent there")
    deadline_s = _seconds(environ.get("JOB_DEADLINE_S", "").strip() or "600")
    if not 0 < deadline_s <= 3600:
        problems.append("JOB_DEADLINE_S must be a number of seconds, at most 3600")
    if problems:
        raise SettingsInvalid(problems)
    endpoint_id = environ.get("RUNPOD_ENDPOINT_ID", "").strip() or None
    return Settings(api_key, rest_url, endpoint_id, deadline_s)


def read_secret_env(environ: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Return the values of ``names``, which the workers are to get.

    Raises:
        SettingsInvalid: names every one that is missing or empty.
    """
    missing = [name for name in names if not environ.get(name, "").strip()]
    if missing:
        raise SettingsInvalid(
            [
                f"{name} is missing: secret_env in the endpoint's file asks for it"
                for name in missing
            ]
        )
    return {name: environ[name] for name in names}


def _safe_for_a_key(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username or parts.password or parts.query:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
