"""Calls to Lulu's API: tokens, and what answers mean."""

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import httpx

from gateway.adapters.retry_after import retry_after_s
from gateway.ports import Clock, PrintError

TOKEN_PATH = "/auth/realms/glasstree/protocol/openid-connect/token"  # noqa: S105  # a path
_MARGIN = timedelta(seconds=60)
_LATER = frozenset({401, 403, 404, 408, 409, 425, 429})
"""Statuses below 500 that don't fault the request itself."""


@dataclass(frozen=True)
class _Token:
    text: str
    expires_at: datetime


@dataclass(frozen=True)
class Answer:
    """An answer of Lulu's: its document, and whether the request itself was faulted (400 …)."""

    status: int
    document: Any

    @property
    def faulted(self) -> bool:
        """Whether it is useless to ask the same again."""
        return 400 <= self.status < 500 and self.status != 404


class LuluSession:
    """Talks to Lulu under one account, from any thread. The caller opens and closes ``client``.

    A token is used until a minute before its end, or until Lulu refuses it.
    """

    def __init__(
        self,
        client: httpx.Client,
        clock: Clock,
        *,
        api_url: str,
        client_key: str,
        client_secret: str,
    ) -> None:
        self._client = client
        self._clock = clock
        self._api = api_url.rstrip("/")
        self._basic = b64encode(f"{client_key}:{client_secret}".encode()).decode()
        self._lock = Lock()
        self._token: _Token | None = None

    def call(
        self, method: str, path: str, *, query: dict[str, str] | None = None, body: object = None
    ) -> Answer:
        """Ask Lulu, and return an answer of status 2xx, one that faults the request, or a 404.

        Raises:
            PrintError: it can't be reached, refuses us, has no time, or failed.
        """
        token = self._valid_token()
        answer = self._send(method, path, token, query=query, body=body)
        if answer.status_code == 401:
            self._forget(token)
            answer = self._send(method, path, self._valid_token(), query=query, body=body)
        if answer.status_code == 404:
            return Answer(404, None)
        if answer.is_success or (answer.is_client_error and answer.status_code not in _LATER):
            return Answer(answer.status_code, _document(answer))
        raise PrintError(f"Lulu answered {answer.status_code}", retry_after_s(answer))

    def _send(
        self, method: str, path: str, token: _Token, *, query: dict[str, str] | None, body: object
    ) -> httpx.Response:
        try:
            return self._client.request(
                method,
                f"{self._api}{path}",
                params=query,
                json=body,
                headers={"Authorization": f"Bearer {token.text}", "Cache-Control": "no-cache"},
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from error

    def _valid_token(self) -> _Token:
        with self._lock:
            if self._token is None or self._clock.now() >= self._token.expires_at - _MARGIN:
                self._token = self._new_token()
            return self._token

    def _forget(self, token: _Token) -> None:
        with self._lock:
            if self._token is token:  # otherwise another thread has a new one already
                self._token = None

    def _new_token(self) -> _Token:
        asked_at = self._clock.now()
        try:
            answer = self._client.post(
                f"{self._api}{TOKEN_PATH}",
                data={"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {self._basic}"},
            )
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if answer.status_code in (400, 401, 403):
            raise PrintError(f"Lulu doesn't accept our client key: {answer.status_code}")
        if not answer.is_success:
            raise PrintError(
                f"Lulu answered {answer.status_code} to our key", retry_after_s(answer)
            )
        document = _document(answer)
        text = document.get("access_token") if isinstance(document, dict) else None
        life_s = document.get("expires_in") if isinstance(document, dict) else None
        if not isinstance(text, str) or not isinstance(life_s, int | float):
            raise PrintError("Lulu's answer has no token")
        return _Token(text, asked_at + timedelta(seconds=life_s))


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        if answer.is_success:
            raise PrintError("Lulu's answer is no JSON") from error
        return None


def _unreachable(error: httpx.HTTPError) -> PrintError:
    return PrintError(f"Lulu can't be reached: {type(error).__name__}")
