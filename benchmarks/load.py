"""A small closed-loop HTTP client: fast enough that the server is what is measured."""

import selectors
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass


class LoadError(Exception):
    """The server answered with another status than the one that was expected."""


@dataclass(frozen=True)
class Target:
    """What is asked for: a GET of ``path`` with ``headers``; ``expect`` is the good status."""

    host: str
    port: int
    path: str
    headers: Mapping[str, str]
    expect: int = 200

    def request(self) -> bytes:
        """The request as bytes on the wire."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


def requests_per_second(target: Target, *, connections: int, seconds: float) -> float:
    """Keep one request in flight on each of ``connections`` and count the answers.

    Raises:
        LoadError: an answer has another status, or a connection was closed.
    """
    request = target.request()
    good = f"HTTP/1.1 {target.expect} ".encode()
    selector = selectors.DefaultSelector()
    sockets = [socket.create_connection((target.host, target.port)) for _ in range(connections)]
    try:
        for connection in sockets:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(request)
        return _count(selector, request, good, seconds)
    finally:
        selector.close()
        for connection in sockets:
            connection.close()


def _count(selector: selectors.BaseSelector, request: bytes, good: bytes, seconds: float) -> float:
    answers = 0
    start = now = time.perf_counter()
    while now - start < seconds:
        for key, _ in selector.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            # An answer of these sizes comes in one piece over loopback: head and body are sent
            # together or within the same loop turn; what isn't complete is waited for.
            _read_answer(connection, good)
            connection.sendall(request)
            answers += 1
        now = time.perf_counter()
    return answers / (now - start)


def _read_answer(connection: socket.socket, good: bytes) -> None:
    data = connection.recv(65536)
    if not data.startswith(good):
        raise LoadError(data[:200].decode(errors="replace") or "the connection was closed")
    head, separator, body = data.partition(b"\r\n\r\n")
    while not separator:
        data += connection.recv(65536)
        head, separator, body = data.partition(b"\r\n\r\n")
    missing = _content_length(head) - len(body)
    while missing > 0:
        missing -= len(connection.recv(65536))


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    if at < 0:
        return 0
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0])
