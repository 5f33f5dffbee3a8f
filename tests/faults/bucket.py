"""An S3 API on loopback, and a proxy before it that fails as a network does."""

import http.client
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from moto.server import ThreadedMotoServer

from storage.s3 import S3Store, connect

_HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "expect"})


class Fault(Enum):
    """What becomes of a request."""

    UNAVAILABLE = auto()
    """Answered with 503."""
    REFUSED = auto()
    """Answered with 403: wrong credentials."""
    CUT_REQUEST = auto()
    """Its body is read half; then the connection ends."""
    CUT_ANSWER = auto()
    """Done; half of the answer's body comes back, then the connection ends."""
    LOST_ANSWER = auto()
    """Done; the connection ends without an answer."""
    HELD = auto()
    """Waits until ``let_go``, and is then done as if nothing had been; or never, after ``drop``."""


@dataclass
class FaultyBucket:
    """A bucket of that ``name`` behind a proxy at ``endpoint``; ``store`` goes past it.
    ``arrived`` counts the requests of the kind that was armed last."""

    name: str
    store: S3Store
    endpoint: str
    arrived: int = 0
    _request: str = ""
    _armed: deque[Fault] = field(default_factory=deque)
    _held: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _gate: threading.Event = field(default_factory=threading.Event)
    _dropped: bool = False

    def arm(self, request: str, *faults: Fault) -> None:
        """Let the next requests that begin like ``request``, ``PUT pages/``, fail, one fault each.
        Forgets what was armed before, and what was counted."""
        self._request, self._armed = request, deque(faults)
        self.arrived = 0
        self._held, self._gate, self._dropped = threading.Semaphore(0), threading.Event(), False

    @property
    def exhausted(self) -> bool:
        """Whether every armed fault has struck."""
        return not self._armed

    def heal(self) -> None:
        """Let no more requests fail."""
        self._armed.clear()

    def wait_until_held(self) -> None:
        """Wait until a request is held."""
        assert self._held.acquire(timeout=60), "no request came"

    def let_go(self) -> None:
        """Carry out the held requests."""
        self._gate.set()

    def drop(self) -> None:
        """Forget the held requests."""
        self._dropped = True
        self._gate.set()

    def fault_of(self, request: str) -> Fault | None:
        """What becomes of the request that came now."""
        if not request.startswith(self._request):
            return None
        self.arrived += 1
        try:
            return self._armed.popleft()
        except IndexError:
            return None

    def hold(self) -> bool:
        """Hold a request; return whether it is carried out."""
        self._held.release()
        return self._gate.wait(60) and not self._dropped


@contextmanager
def running_bucket() -> Iterator[FaultyBucket]:
    """An empty bucket and its proxy."""
    name = f"foxetales-{secrets.token_hex(4)}"  # servers of one process share their buckets
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    _, port = moto.get_host_and_port()
    client = connect(
        endpoint_url=f"http://127.0.0.1:{port}",
        region="eu-central-1",
        access_key_id="k",
        secret_access_key="s",
    )
    try:
        with closing(client):
            client.create_bucket(
                Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
            )
            with _Proxy(port) as proxy:
                bucket = FaultyBucket(
                    name, S3Store(client, name), f"http://127.0.0.1:{proxy.server_port}"
                )
                proxy.bucket = bucket
                thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
                thread.start()
                try:
                    yield bucket
                finally:
                    bucket.drop()
                    proxy.shutdown()
                    thread.join()
    finally:
        moto.stop()


class _Proxy(ThreadingHTTPServer):
    bucket: FaultyBucket

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.target = target


class _Request(BaseHTTPRequestHandler):
    server: _Proxy
    protocol_version = "HTTP/1.1"  # an upload asks whether it may come: Expect: 100-continue

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True  # the client has gone

    def _serve(self) -> None:
        self.close_connection = True
        bucket = self.server.bucket
        fault = bucket.fault_of(f"{self.command} {self.path.removeprefix(f'/{bucket.name}/')}")
        size = int(self.headers.get("content-length", 0))
        if fault is Fault.CUT_REQUEST:
            self.rfile.read(size // 2)
            return
        body = self.rfile.read(size)
        if fault is Fault.UNAVAILABLE:
            self._fail(503, "ServiceUnavailable")
        elif fault is Fault.REFUSED:
            self._fail(403, "InvalidAccessKeyId")
        elif fault is not Fault.HELD or bucket.hold():
            self._forward(body, fault)

    def _forward(self, body: bytes, fault: Fault | None) -> None:
        headers = {n: v for n, v in self.headers.items() if n.lower() not in _HOP_BY_HOP}
        with closing(http.client.HTTPConnection("127.0.0.1", self.server.target)) as target:
            target.request(self.command, self.path, body, headers)
            answer = target.getresponse()
            data = answer.read()
        if fault is Fault.LOST_ANSWER:
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {*_HOP_BY_HOP, "server", "date"}:
                self.send_header(name, value)
        length = answer.getheader("content-length") if self.command == "HEAD" else None
        self.send_header("content-length", length or str(len(data)))
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            cut = len(data) // 2 if fault is Fault.CUT_ANSWER else len(data)
            self.wfile.write(data[:cut])

    def _fail(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>-</Message></Error>".encode()
        self.send_response(status)
        self.send_header("content-type", "application/xml")
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
