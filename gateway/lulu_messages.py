"""What Lulu's messages mean. Pure; ``gateway.adapters.lulu`` is who talks to Lulu."""

import binascii
import hashlib
import hmac
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from contract.signing import InvalidSignature
from gateway.one_line import one_line
from gateway.ports import PrintJob, PrintStatus
from gateway.web_links import web_links

SIGNATURE_HEADER: Final = "Lulu-HMAC-SHA256"
TOPIC: Final = "PRINT_JOB_STATUS_CHANGED"

_STATUSES: Final = {
    "CREATED": PrintStatus.ACCEPTED,
    "UNPAID": PrintStatus.ACCEPTED,
    "PAYMENT_IN_PROGRESS": PrintStatus.ACCEPTED,
    "PRODUCTION_DELAYED": PrintStatus.ACCEPTED,
    "PRODUCTION_READY": PrintStatus.ACCEPTED,
    "IN_PRODUCTION": PrintStatus.IN_PRODUCTION,
    "SHIPPED": PrintStatus.SHIPPED,
    "DELIVERED": PrintStatus.DELIVERED,
    "REJECTED": PrintStatus.REJECTED,
    "CANCELED": PrintStatus.CANCELLED,
    # Something broke in production. Lulu says nothing more by itself: a person has to ask.
    "ERROR": PrintStatus.REJECTED,
}
_FILES: Final = "printable_normalization"
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_MAIL_ADDRESS = re.compile(r"\S+@\S+")
_LONGEST_MESSAGE = 500
_MOST_FAULTS = 8


class UnreadableMessage(Exception):
    """A message that isn't of the form that Lulu documents. It is never repeated."""


def verify_webhook(
    secrets: Sequence[str], headers: Mapping[str, str], body: bytes
) -> tuple[str, PrintStatus]:
    """Return the id and the state of the print job that a webhook of Lulu's tells of.

    The signature is an HMAC-SHA256 of the raw body. Its encoding isn't documented: hexadecimal and
    base64 are taken. Several secrets are tried, so that one can be rotated. A webhook isn't dated
    and may come late or twice: what it tells is a reason to ask Lulu, not the truth of now.

    Raises:
        InvalidSignature: it is unsigned, or no secret fits.
        UnreadableMessage: it is signed, but tells of something else.
    """
    given = _signature({name.lower(): value for name, value in headers.items()})
    fits = [
        hmac.compare_digest(hmac.new(secret.encode(), body, hashlib.sha256).digest(), given)
        for secret in secrets
    ]
    if not any(fits):
        raise InvalidSignature("no secret fits Lulu's signature")
    try:
        document = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise UnreadableMessage("the webhook is no JSON") from None
    if not isinstance(document, dict) or document.get("topic") != TOPIC:
        raise UnreadableMessage(f"the webhook isn't of the topic {TOPIC}")
    job = print_job(document.get("data"))
    return job.vendor_id, job.status


def print_job(document: object) -> PrintJob:
    """Read a print job as Lulu tells it.

    Raises:
        UnreadableMessage: it has no id, or no state that we know.
    """
    if not isinstance(document, dict):
        raise UnreadableMessage("the print job is no JSON object")
    number, status = document.get("id"), _object(document.get("status"))
    if isinstance(number, bool) or not isinstance(number, int | str) or not str(number).isalnum():
        raise UnreadableMessage("the print job has no id")
    state = _STATUSES.get(str(status.get("name")))
    if state is None:
        raise UnreadableMessage("the print job has no state that we know")
    said = list(_item_messages(document))
    tracked = [*said, *(_object(item) for item in _several(document, "line_items"))]
    return PrintJob(
        vendor_id=str(number),
        external_id=str(document.get("external_id") or ""),
        status=state,
        tracking_urls=web_links(url for item in tracked for url in _several(item, "tracking_urls")),
        carrier=_first(item.get("carrier_name") for item in tracked),
        message=_message(status, said, trouble=state is PrintStatus.REJECTED),
    )


def faults(document: object, *, private: Sequence[str] = ()) -> dict[str, str]:
    """The fields that Lulu faults in an answer of status 400, as ``outer.inner``, with its reason.

    Links, mail addresses, and the ``private`` texts that we had sent are taken out of the reasons.
    """
    found: dict[str, list[str]] = {}
    for path, text in _texts(document):
        found.setdefault(path or "request", []).append(text)
    return {
        path: without_private("; ".join(texts), private)
        for path, texts in list(found.items())[:_MOST_FAULTS]
    }


def without_private(text: str, private: Sequence[str] = ()) -> str:
    """``text`` in one line of bounded length, without links, mail addresses and ``private``."""
    line = _MAIL_ADDRESS.sub("…", _LINK.sub("…", one_line(text)))
    for word in sorted({one_line(word) for word in private}, key=len, reverse=True):
        if word:
            line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "…", line, flags=re.IGNORECASE)
    return line[:_LONGEST_MESSAGE]


def _signature(headers: Mapping[str, str]) -> bytes:
    text = headers.get(SIGNATURE_HEADER.lower(), "").strip()
    try:
        if len(text) == 64:
            return bytes.fromhex(text)
        return b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _item_messages(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What Lulu says of the line items: in the job's state, and in each item's own."""
    for item in _several(_object(document.get("status")), "line_item_statuses"):
        yield _object(_object(item).get("messages"))
    for item in _several(document, "line_items"):
        yield _object(_object(_object(item).get("status")).get("messages"))


def _message(status: Mapping[str, Any], said: Sequence[dict[str, Any]], *, trouble: bool) -> str:
    """What Lulu says of the state; of a job in trouble also what it says of its files."""
    texts = [str(status.get("message") or "")]
    if trouble:
        wrong = (item.get(key) for item in said for key in ("error", "info", _FILES))
        texts += dict.fromkeys(text for part in wrong for _, text in _texts(part))
    return without_private(" ".join(text for text in texts if text))


def _texts(document: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a document, with the names that lead to it."""
    if isinstance(document, str):
        yield path, document
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value, path)
    elif isinstance(document, dict):
        for name, value in document.items():
            step = name if re.fullmatch(r"\w{1,64}", name) else "?"
            yield from _texts(value, f"{path}.{step}" if path else step)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _several(document: Mapping[str, Any], name: str) -> list[Any]:
    """A list; something single is documented in some places."""
    value = document.get(name)
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _first(values: Iterator[object]) -> str:
    return next((one_line(value) for value in values if isinstance(value, str) and value), "")
