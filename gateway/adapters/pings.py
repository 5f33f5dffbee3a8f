"""Whether what the gateway needs answers, asked once from the command line.

Nothing is changed there: no table is made, no object is written, no letter is sent.
"""

import smtplib
from collections.abc import Callable, Collection, Mapping

import httpx
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from contract.findings import Finding, Level
from gateway.adapters.kv_redis import open_redis
from gateway.adapters.smtp import SmtpServer
from gateway.records import open_engine
from storage.errors import StoreError
from storage.open import open_store

_PATIENCE_S = 10.0


class _NoAnswer(Exception):
    """The text says in plain words what came instead, without an address or a secret."""


def pings(environ: Mapping[str, str], wrong: Collection[str]) -> list[Finding]:
    """Ask each part that is configured, but those whose variable is known to be ``wrong``; return
    what didn't answer."""
    asks: tuple[tuple[str, Callable[[Mapping[str, str]], None]], ...] = (
        ("DATABASE_URL", _database),
        ("KV_URL", _kv),
        ("OBJECT_STORE_URL", _store),
        ("RUNPOD_ENDPOINT_ID", _runpod),
        ("SMTP_URL", _smtp),
    )
    found = []
    for name, ask in asks:
        if name in wrong or not environ.get(name):
            continue
        try:
            ask(environ)
        except _NoAnswer as error:
            found.append(Finding(Level.WRONG, name, str(error)))
    return found


def _database(environ: Mapping[str, str]) -> None:
    if environ["DATABASE_URL"].startswith("sqlite"):
        return  # asking would make an empty file
    try:
        engine = open_engine(environ["DATABASE_URL"])
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    except (SQLAlchemyError, ValueError, ImportError) as error:
        # The error's text repeats the URL, which may carry a password: its type has to do.
        raise _NoAnswer(f"the database doesn't answer ({type(error).__name__})") from None


def _kv(environ: Mapping[str, str]) -> None:
    try:
        with open_redis(environ["KV_URL"]) as client:
            client.ping()
    except (RedisError, ValueError, OSError) as error:
        raise _NoAnswer(f"it doesn't answer ({type(error).__name__})") from None


def _store(environ: Mapping[str, str]) -> None:
    if environ["OBJECT_STORE_URL"].startswith("file:"):
        return  # asking would make the folder
    try:
        open_store(environ["OBJECT_STORE_URL"], environ).ping()
    except (StoreError, ValueError) as error:
        raise _NoAnswer(f"the object store doesn't answer ({type(error).__name__})") from None


def _runpod(environ: Mapping[str, str]) -> None:
    base = environ.get("RUNPOD_API_URL") or "https://api.runpod.ai/v2"
    endpoint = environ["RUNPOD_ENDPOINT_ID"]
    try:
        answer = httpx.get(
            f"{base.rstrip('/')}/{endpoint}/health",
            headers={"Authorization": f"Bearer {environ.get('RUNPOD_API_KEY', '')}"},
            timeout=_PATIENCE_S,
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise _NoAnswer(f"RunPod doesn't answer ({type(error).__name__})") from None
    if answer.status_code in (401, 403):
        raise _NoAnswer("RunPod refuses RUNPOD_API_KEY")
    if answer.status_code != httpx.codes.OK:
        raise _NoAnswer(f"RunPod answers {answer.status_code}: is there such an endpoint?")


def _smtp(environ: Mapping[str, str]) -> None:
    if environ.get("MAIL") != "smtp":
        return
    try:
        server = SmtpServer.parse(environ["SMTP_URL"])
        connect = smtplib.SMTP_SSL if server.implicit_tls else smtplib.SMTP
        with connect(server.host, server.port, timeout=_PATIENCE_S) as connection:
            connection.noop()
    except (OSError, ValueError, smtplib.SMTPException) as error:
        raise _NoAnswer(f"the mail server doesn't answer ({type(error).__name__})") from None
