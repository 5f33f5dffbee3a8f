"""Letters by Resend's HTTP API."""

import json
from email.headerregistry import Address
from typing import Any

import httpx

from gateway.adapters.retry_after import retry_after_s
from gateway.mail_message import mail_address, subject_line
from gateway.ports import Mail, MailError, MailRefused

_REFUSED = frozenset({400, 422})
_SENDING_ONLY = "restricted_api_key"
_TAKEN_BEFORE = "invalid_idempotent_request"


class ResendMailer:
    """Hands letters to Resend, which sends those of one key (``message_id``) once within a day. The
    caller opens and closes ``client``."""

    def __init__(self, client: httpx.Client, *, api_url: str, api_key: str, from_: Address) -> None:
        self._client = client
        self._base = api_url.rstrip("/")
        self._key = api_key
        self._from = str(from_)

    def send(self, mail: Mail) -> None:
        """Hand the letter over.

        Raises:
            MailRefused: it will never be taken (400, 422).
            MailError: Resend can't be reached, doesn't know our key, or doesn't take it now.
        """
        answer = self._call(
            "POST",
            "emails",
            headers={"Idempotency-Key": mail.message_id},
            body={
                "from": self._from,
                "to": [_address(mail.to)],
                "subject": subject_line(mail),
                "text": mail.text,
                "html": mail.html,
                "headers": {"Auto-Submitted": "auto-generated"},
            },
        )
        name = _error_name(answer)
        if answer.is_success or (answer.status_code == 409 and name == _TAKEN_BEFORE):
            # Taken before, in other words: links in a letter may be signed anew at each attempt.
            return
        if answer.status_code in _REFUSED:
            raise MailRefused(f"Resend answered {answer.status_code} {name}")
        raise _failure(answer)

    def ping(self) -> None:
        """Check that Resend knows our key. A key that may only send isn't let in, but is known.

        Raises:
            MailError.
        """
        answer = self._call("GET", "domains")
        if not answer.is_success and _error_name(answer) != _SENDING_ONLY:
            raise _failure(answer)

    def _call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: Any = None
    ) -> httpx.Response:
        try:
            return self._client.request(
                method,
                f"{self._base}/{path}",
                json=body,
                headers={"Authorization": f"Bearer {self._key}"} | (headers or {}),
            )
        except httpx.HTTPError as error:
            raise MailError(f"Resend can't be reached: {type(error).__name__}") from error


def _address(text: str) -> str:
    try:
        return mail_address(text)
    except ValueError:
        raise MailRefused("the reader's mail address is malformed") from None


def _failure(answer: httpx.Response) -> MailError:
    return MailError(
        f"Resend answered {answer.status_code} {_error_name(answer)}".rstrip(),
        retry_after_s(answer),
    )


def _error_name(answer: httpx.Response) -> str:
    """Resend's name of an error; its message may repeat what was sent."""
    if answer.is_success:
        return ""
    try:
        document = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return ""
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) and name.isidentifier() and len(name) < 64 else ""
