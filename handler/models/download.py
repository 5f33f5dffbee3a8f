"""One file from its source: resumed, tried again, verified, and put in its place whole.

No error has more of a URL than its host: path and query may hold a signature or a token.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from handler.backoff import Backoff
from handler.errors import DownloadFailed
from handler.models.part_file import PartFile

_CHUNK: Final = 64 * 1024  # of what a cut breaks off, so much may be lost
_TIMEOUT_S: Final = (10.0, 60.0)
_MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_WORTH_BYTES: Final = 8 * 1024 * 1024
_MAX_RETRY_AFTER_S: Final = 300.0


@dataclass(frozen=True)
class Target:
    """A file to fetch: its name in messages, source, hash, place, and size in bytes if known."""

    name: str
    url: str
    sha256: str
    size_bytes: int | None
    place: Path


class _Passing(Exception):
    """What may be otherwise in a moment; after ``after_s`` seconds, if the server says so."""

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class _Token(AuthBase):
    """Sends a token, or none; either way it keeps ~/.netrc out."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Downloader:
    """Fetches files, several at once if called from several threads.

    ``tokens`` are by origin (``https://host``); one is sent to that origin only, and only for files
    whose source it is. ``wait`` lets seconds pass; ``tries`` in a row may fail.
    """

    def __init__(
        self,
        tokens: Mapping[str, str],
        *,
        wait: Callable[[float], None],
        now: Callable[[], datetime],
        tries: int = 6,
    ) -> None:
        self._tokens = dict(tokens)
        self._wait = wait
        self._now = now
        self._tries = tries

    def fetch(self, target: Target, progress: Callable[[int], None]) -> None:
        """Fetch a file into its place; ``progress`` is told how many bytes there are.

        Raises:
            DownloadFailed: says why, without the URL.
        """
        try:
            with PartFile(target.place, target.sha256) as part:
                self._complete(target, part, progress)
                part.keep()
        except OSError as error:
            raise DownloadFailed(f"the disk won't have it: {error.strerror}") from error

    def _complete(self, target: Target, part: PartFile, progress: Callable[[int], None]) -> None:
        """Try until the part has all bytes, and they are the right ones."""
        backoff = Backoff(first_s=1.0, cap_s=60.0)
        backoff.next()
        failed, mended = 0, False
        while True:
            resumed, before = part.size > 0, part.size
            try:
                if target.size_bytes is None or part.size != target.size_bytes:
                    self._transfer(target, part, progress)
                if part.sha256 == target.sha256:
                    return
                found = part.sha256
                part.restart()
                if not resumed or mended:
                    raise DownloadFailed(f"another file than the list says: its SHA-256 is {found}")
                mended = True  # bytes of two files: once more from the start
            except _Passing as error:
                part.flush()
                if part.size - before >= _WORTH_BYTES:
                    failed = 0
                    backoff.reset()
                    backoff.next()
                failed += 1
                if failed >= self._tries:
                    raise DownloadFailed(f"{error}, {failed} times in a row") from error
                self._wait(max(backoff.next(), error.after_s))

    def _transfer(self, target: Target, part: PartFile, progress: Callable[[int], None]) -> None:
        headers = {"Accept-Encoding": "identity"}
        if part.size:
            headers["Range"] = f"bytes={part.size}-"
            if part.validator:
                headers["If-Range"] = part.validator
        progress(part.size)
        try:
            with self._get(target.url, headers) as response:
                total = self._accept(response, target, part)
                for data in response.iter_content(_CHUNK):
                    if total is not None and part.size + len(data) > total:
                        raise DownloadFailed(f"its source sends more than {total} bytes")
                    part.append(data)
                    progress(part.size)
        except requests.exceptions.SSLError as error:
            raise DownloadFailed(f"{_host(target.url)} has no valid certificate") from error
        except requests.RequestException as error:
            raise _Passing(f"{_host(target.url)} can't be reached, or breaks off") from error
        if total is not None and part.size < total:
            raise _Passing(f"{_host(target.url)} breaks off")

    def _accept(self, response: requests.Response, target: Target, part: PartFile) -> int | None:
        """Set the part to where the answer's bytes begin; return how many there will be in all.

        Raises:
            _Passing: another answer may come.
            DownloadFailed: none will.
        """
        status, host = response.status_code, _host(target.url)
        if status == 416:
            part.restart()
            raise _Passing(f"{host} hasn't so many bytes")
        if status in _PASSING:
            raise _Passing(f"{host} answers {status}", self._retry_after(response))
        if status not in (200, 206):
            raise DownloadFailed(self._refusal(status, target))
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise DownloadFailed(f"{host} sends it encoded")
        validator = _validator(response)
        if status == 206:
            start, told = _content_range(response)
            if start != part.size or (part.validator and validator not in ("", part.validator)):
                part.restart()
                raise _Passing(f"{host} has another file by now, or sends another part of it")
        else:
            part.restart(validator)
            told = _length(response)
        if target.size_bytes is not None and told not in (None, target.size_bytes):
            raise DownloadFailed(
                f"{host} has a file of {told} bytes, and the list says {target.size_bytes}"
            )
        return target.size_bytes if target.size_bytes is not None else told

    def _refusal(self, status: int, target: Target) -> str:
        host, sent = _host(target.url), bool(self._tokens.get(_origin(target.url)))
        if status == 401 and not sent:
            return f"{host} wants a token: set HF_TOKEN"
        if status == 401:
            return f"{host} doesn't know the token in HF_TOKEN"
        if status == 403:
            return (
                f"{host} forbids it: accept the licence on the model's page, with the account of "
                "the token"
            )
        if status in (404, 410):
            return f"{host} has no such file"
        return f"{host} answers {status}"

    def _get(
        self, url: str, headers: Mapping[str, str]
    ) -> AbstractContextManager[requests.Response]:
        """Ask, and follow redirects; each time with the token that belongs to that very origin."""
        token, at = self._tokens.get(_origin(url)), url
        for _ in range(_MAX_REDIRECTS + 1):
            response = requests.get(
                at,
                headers=dict(headers),
                auth=_Token(token if _origin(at) == _origin(url) else None),
                stream=True,
                allow_redirects=False,
                timeout=_TIMEOUT_S,
            )
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            at = urljoin(at, response.headers.get("Location", ""))
            if urlsplit(at).scheme != "https" and urlsplit(at).scheme != urlsplit(url).scheme:
                raise DownloadFailed(f"{_host(url)} redirects to another scheme than https")
        raise DownloadFailed(f"{_host(url)} redirects without end")

    def _retry_after(self, response: requests.Response) -> float:
        text = response.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            seconds = float(text)
        else:
            try:
                seconds = (parsedate_to_datetime(text) - self._now()).total_seconds()
            except (TypeError, ValueError):
                seconds = 0.0
        return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)


def _validator(response: requests.Response) -> str:
    """What names these very bytes to the server: a strong ETag, else a date, else nothing."""
    tag = response.headers.get("ETag", "")
    if tag.startswith('"'):
        return tag
    return response.headers.get("Last-Modified", "")


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Where a partial answer begins, and how long the whole file is."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    if unit != "bytes" or not start.isdigit():
        return None, None
    return int(start), int(total) if total.isdigit() else None


def _length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the source"
