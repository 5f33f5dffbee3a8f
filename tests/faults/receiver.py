"""The gateway's end of the signed callbacks, which may be down."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from contract.result import STATUS_MESSAGE, JobResult, Progress
from contract.signing import new_secret, verify
from tests.sandbox.waiting import eventually


class Receiver:
    """Takes callbacks at ``url`` and keeps what it answered with 204. ``unwell`` is how many
    results it answers with 503 before that."""

    def __init__(self) -> None:
        self.secret = new_secret()
        self.unwell = 0
        self.refused = 0
        self.accepted: list[tuple[str, Progress | JobResult]] = []
        self._port = 0
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/webhooks/runpod/status"

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = _Server(self, self._port)
        self._port = self._server.server_port
        arguments = {"poll_interval": 0.01}
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs=arguments)
        self._thread.start()

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    @contextmanager
    def gone(self) -> Iterator[None]:
        """Nobody listens inside."""
        self.close()
        try:
            yield
        finally:
            self.open()

    def take(self, message_id: str, message: Progress | JobResult) -> int:
        """Return the status that answers a message."""
        if isinstance(message, JobResult) and self.unwell > 0:
            self.unwell -= 1
            self.refused += 1
            return 503
        self.accepted.append((message_id, message))
        return 204

    def results(self, job_id: str) -> list[JobResult]:
        """The results of a job that were accepted."""
        messages = [message for _, message in self.accepted if message.job_id == job_id]
        return [message for message in messages if isinstance(message, JobResult)]

    def result(self, job_id: str) -> JobResult:
        """The one result of a job, once it is there."""
        found = eventually(lambda: self.results(job_id))
        assert len(found) == 1, f"{len(found)} results of {job_id}"
        return found[0]


class _Server(ThreadingHTTPServer):
    def __init__(self, receiver: Receiver, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.receiver = receiver


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        receiver = self.server.receiver
        message_id = verify([receiver.secret], dict(self.headers.items()), body)
        self.send_response(receiver.take(message_id, STATUS_MESSAGE.validate_json(body)))
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""
