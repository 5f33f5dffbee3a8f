"""RunPod's REST API, version 2, as far as an endpoint needs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import httpx

from deploy.account import Account, found_endpoint, found_volume
from deploy.errors import (
    ApiError,
    Conflict,
    KeyRefused,
    Missing,
    RequestInvalid,
    TooMany,
    Unavailable,
)
from deploy.plan import Kind, Step

_TRIES: Final = 4
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_DETAIL: Final = 400
_ERRORS: Final[Mapping[int, type[ApiError]]] = {
    401: KeyRefused,
    403: KeyRefused,
    404: Missing,
    409: Conflict,
    429: TooMany,
}
_CALLS: Final = {
    Kind.CREATE_VOLUME: ("POST", "network-volumes"),
    Kind.GROW_VOLUME: ("PATCH", "network-volumes"),
    Kind.CREATE_ENDPOINT: ("POST", "serverless"),
    Kind.CHANGE_ENDPOINT: ("PATCH", "serverless"),
}


class RunpodApi:
    """The API for one key. The caller opens and closes ``client``.

    What may be done twice (reading, and changing what is there) is tried again while RunPod has
    trouble. What makes something new is tried again only if RunPod said that it didn't do it:
    else there might be two. ``sleep`` waits for so many seconds.

    ``secrets`` never stand in an error, even if RunPod's answer repeats them.
    """

    def __init__(
        self,
        client: httpx.Client,
        *,
        url: str,
        api_key: str,
        sleep: Callable[[float], None],
        secrets: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._sleep = sleep
        self._secrets = sorted((api_key, *secrets), key=len, reverse=True)

    def account(self) -> Account:
        """Return what the account has.

        Raises:
            ApiError.
        """
        endpoints = self._list("serverless", "endpoints")
        volumes = self._list("network-volumes", "networkVolumes")
        registries = self._list("registries", "registries")
        try:
            return Account(
                tuple(found_endpoint(each) for each in endpoints),
                tuple(found_volume(each) for each in volumes),
                {str(each["name"]): str(each["id"]) for each in registries},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unavailable(
                f"RunPod's answer lacks what was expected ({type(error).__name__})"
            ) from None

    def do(self, step: Step) -> str:
        """Do a step; return the id of what was made or changed.

        Raises:
            ApiError.
        """
        method, path = _CALLS[step.kind]
        if step.target is not None:
            path = f"{path}/{step.target}"
        made = self._call(method, path, step.body).get("id")
        if not isinstance(made, str) or not made:
            raise Unavailable(f"RunPod's answer to {method} {path} has no id")
        return made

    def _list(self, path: str, name: str) -> list[Any]:
        found = self._call("GET", path).get(name)
        if not isinstance(found, list):
            raise Unavailable(f"RunPod's answer to GET {path} has no list {name!r}")
        return found

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """The answer's JSON object, after as many tries as it may take."""
        for attempt in range(1, _TRIES + 1):
            answer = self._answer(method, path, body, last=attempt == _TRIES)
            if answer is not None:
                pause_s = _pause_s(answer, attempt)
                may_repeat = method != "POST" or answer.status_code == 429
                if not _passing(answer) or not may_repeat or attempt == _TRIES or pause_s is None:
                    return self._document(method, path, answer)
                self._sleep(pause_s)
            else:
                self._sleep(float(2 ** (attempt - 1)))
        raise AssertionError("the last try returns or raises")

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, *, last: bool
    ) -> httpx.Response | None:
        """The answer; None if there was none and another try may be made."""
        try:
            return self._client.request(
                method, f"{self._url}/{path}", json=body, headers=self._headers
            )
        except httpx.HTTPError as error:
            never_arrived = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            if last or (method == "POST" and not never_arrived):
                raise Unavailable(
                    f"{method} {path}: no answer ({type(error).__name__})"
                    + _doubt(method, arrived=not never_arrived)
                ) from None
            return None

    def _document(self, method: str, path: str, answer: httpx.Response) -> Mapping[str, Any]:
        status = answer.status_code
        if not answer.is_success:
            kind = _ERRORS.get(status, Unavailable if status >= 500 else RequestInvalid)
            doubt = _doubt(method, arrived=kind is Unavailable)
            raise kind(f"{method} {path}: {status}{self._detail(answer)}{doubt}")
        try:
            document = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            document = None
        if not isinstance(document, dict):
            raise Unavailable(f"{method} {path}: RunPod's answer is no JSON object")
        return document

    def _detail(self, answer: httpx.Response) -> str:
        """What RunPod says of an error, on one line and without a secret."""
        try:
            document = answer.json()
            said = [document.get("detail") or document.get("title"), *document.get("errors", [])]
        except (ValueError, AttributeError, TypeError):
            return ""
        text = "; ".join(str(each) for each in said if each)
        for secret in self._secrets:
            text = text.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return f": {text[:_LONGEST_DETAIL]}" if text else ""


def _passing(answer: httpx.Response) -> bool:
    return answer.status_code == 429 or answer.status_code >= 500


def _pause_s(answer: httpx.Response, attempt: int) -> float | None:
    """How long to wait before another try, in seconds; None if it would be too long."""
    asked = answer.headers.get("Retry-After", "")
    pause_s = float(asked) if asked.isascii() and asked.isdigit() else float(2 ** (attempt - 1))
    return pause_s if pause_s <= _LONGEST_PAUSE_S else None


def _doubt(method: str, *, arrived: bool) -> str:
    if method == "GET" or not arrived:
        return ""
    return "; whether it was done isn't known: `plan` shows it"
