"""A server of files on loopback that behaves as it is told: honestly, or not."""

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Visit"], None]


class Shelf:
    """Files by path, and answers that are given before the honest one, in their order."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        self.asked: list[tuple[str, Message]] = []

    def url(self, path: str) -> str:
        return f"{self.origin}{path}"

    def tell(self, path: str, *answers: Answer) -> None:
        self.answers[path].extend(answers)

    def ranges(self, path: str) -> list[str | None]:
        return [headers["Range"] for asked, headers in self.asked if asked == path]

    def tokens(self, path: str) -> list[str | None]:
        return [headers["Authorization"] for asked, headers in self.asked if asked == path]


class Visit(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    shelf: Shelf

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        self.shelf.asked.append((self.path, self.headers))
        self.close_connection = True
        waiting = self.shelf.answers[self.path]
        with suppress(BrokenPipeError, ConnectionResetError):
            (waiting.popleft() if waiting else honest)(self)

    def head(self, status: int, **headers: str | int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Connection", "close")
        self.end_headers()

    @property
    def whole(self) -> bytes:
        return self.shelf.files[self.path]

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.whole).hexdigest()[:16]}"'

    def begin(self, length: int | None = None) -> bytes:
        """Send the head of an honest answer, or one with another length; return the bytes that it
        promises."""
        asked = self.headers["Range"]
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and self.headers["If-Range"] in (None, self.tag):
            total = len(self.whole)
            if start >= total:
                self.head(416, Content_Range=f"bytes */{total}", Content_Length=0)
                return b""
            span = f"bytes {start}-{total - 1}/{total}"
            self.head(206, ETag=self.tag, Content_Range=span, Content_Length=total - start)
            return self.whole[start:]
        told = len(self.whole) if length is None else length
        self.head(200, ETag=self.tag, Content_Length=told)
        return self.whole


def honest(visit: Visit) -> None:
    if visit.path not in visit.shelf.files:
        visit.head(404, Content_Length=0)
        return
    visit.wfile.write(visit.begin())


def cut(after: int) -> Answer:
    """Break off after so many bytes of the answer."""

    def answer(visit: Visit) -> None:
        visit.wfile.write(visit.begin()[:after])

    return answer


def lie(length: int) -> Answer:
    """Tell another length than that of the bytes that follow."""

    def answer(visit: Visit) -> None:
        visit.wfile.write(visit.begin(length))

    return answer


def say(status: int, **headers: str | int) -> Answer:
    """Answer with a status and nothing else."""
    return lambda visit: visit.head(status, Content_Length=0, **headers)


def without_length(data: bytes) -> Answer:
    """Send bytes until the connection ends."""

    def answer(visit: Visit) -> None:
        visit.head(200)
        visit.wfile.write(data)

    return answer


def wrong_part(visit: Visit) -> None:
    """Answer with another part than was asked for."""
    visit.head(206, Content_Range=f"bytes 0-1/{len(visit.whole)}", Content_Length=2)
    visit.wfile.write(visit.whole[:2])


def swap(data: bytes, then: Answer) -> Answer:
    """Put another file in place of this one, and answer."""

    def answer(visit: Visit) -> None:
        visit.shelf.files[visit.path] = data
        then(visit)

    return answer


def half_and_wait(until: threading.Event) -> Answer:
    """Send half, and the rest when it is told."""

    def answer(visit: Visit) -> None:
        data = visit.begin()
        visit.wfile.write(data[: len(data) // 2])
        visit.wfile.flush()
        until.wait(60)
        visit.wfile.write(data[len(data) // 2 :])

    return answer


@contextmanager
def open_shelf() -> Iterator[Shelf]:
    """A shelf that answers until the end of the block."""
    handler = type("ItsVisit", (Visit,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    shelf = Shelf(f"http://127.0.0.1:{server.server_address[1]}")
    handler.shelf = shelf  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield shelf
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
