"""Inputs by https: what is refused unasked, and a real TLS server that answers in odd ways."""

import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from contract.errors import ErrorCode
from handler.errors import (
    InputCorrupt,
    InputNotFound,
    InputRefused,
    InputUnavailable,
    WorkerError,
)
from handler.url_inputs import MAX_URL_BYTES, Network, UrlInputs, is_public

HOST = "images.example.com"
Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A TLS server on loopback, with a certificate for ``images.example.com``."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        self.answer: Answer = lambda request: respond(request, 200, b"")
        self.asked: list[tuple[str, str | None]] = []
        write_certificate(self.certificate)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.certificate)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.socket = tls.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def network(self, **changes: object) -> Network:
        """A network in which every host is this server, which counts as public."""
        fields: dict[str, object] = {
            "tls": lambda: ssl.create_default_context(cafile=str(self.certificate)),
            "resolve": lambda _: ["127.0.0.1"],
            "is_public": lambda _: True,
            "port": self.port,
        }
        return Network(**{**fields, **changes})  # type: ignore[arg-type]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers["Host"]))
                server.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def write_certificate(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))


def respond(request: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def get(server: Server, path: str = "/a.png", **changes: object) -> bytes:
    return UrlInputs([HOST], server.network(**changes)).get(f"https://{HOST}{path}")


def test_an_allowed_host_is_asked_under_its_own_name(server: Server) -> None:
    server.answer = lambda request: respond(request, 200, b"pixels")
    assert get(server, "/some folder/a.png?signature=a%2Fb+c") == b"pixels"
    assert server.asked == [("/some%20folder/a.png?signature=a%2Fb+c", HOST)]


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/a.png",
        "https://other.example.com/a.png",
        f"https://{HOST}.evil.com/a.png",
        f"https://evil.com/{HOST}",
        f"https://user:word@{HOST}/a.png",
        f"https://{HOST}:8443/a.png",
        f"https://{HOST}:x/a.png",
        "https://127.0.0.1/a.png",
        "https://[::1]/a.png",
        "https:///a.png",
        "file:///etc/passwd",
        "no url",
        "",
    ],
)
def test_what_is_not_allowed_is_refused_without_asking_anybody(server: Server, url: str) -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return []

    network = server.network(resolve=resolve)
    with pytest.raises(InputRefused):
        UrlInputs([HOST], network).get(url)
    assert asked == []


def test_a_suffix_allows_every_name_below_it_and_not_itself(server: Server) -> None:
    inputs = UrlInputs(["*.example.com"], server.network())
    assert inputs.get(f"https://{HOST}/") == b""
    for host in ("example.com", "badexample.com"):
        with pytest.raises(InputRefused):
            inputs.get(f"https://{host}/")


def test_without_a_list_no_host_is_allowed(server: Server) -> None:
    with pytest.raises(InputRefused, match="INPUT_URL_HOSTS"):
        UrlInputs([], server.network()).get(f"https://{HOST}/")


def test_one_private_address_among_others_is_enough_to_refuse(server: Server) -> None:
    addresses = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(InputRefused, match="not public"):
        get(server, resolve=lambda _: addresses, is_public=is_public)
    assert server.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("ff0e::1", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("localhost", False),
    ],
)
def test_addresses_are_public_or_not(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_certificate_for_another_name_is_refused(server: Server) -> None:
    inputs = UrlInputs(["other.example.com"], server.network())
    with pytest.raises(InputRefused, match="certificate"):
        inputs.get("https://other.example.com/")


def test_a_certificate_that_nobody_vouches_for_is_refused(server: Server) -> None:
    with pytest.raises(InputRefused, match="certificate"):
        get(server, tls=ssl.create_default_context)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (302, InputRefused, ErrorCode.INPUT_REFUSED),
        (403, InputRefused, ErrorCode.INPUT_REFUSED),
        (404, InputNotFound, ErrorCode.INPUT_NOT_FOUND),
        (429, InputUnavailable, ErrorCode.INPUT_UNAVAILABLE),
        (503, InputUnavailable, ErrorCode.INPUT_UNAVAILABLE),
    ],
)
def test_another_status_is_an_error_and_no_redirection_is_followed(
    server: Server, status: int, error: type[WorkerError], code: ErrorCode
) -> None:
    server.answer = lambda request: respond(request, status, b"", Location=f"https://{HOST}/b")
    with pytest.raises(error) as failure:
        get(server, "/a.png?token=secret")
    assert failure.value.code is code
    assert "secret" not in str(failure.value)
    assert "a.png" not in str(failure.value)
    assert len(server.asked) == 1


def test_a_body_over_the_limit_is_not_read_to_its_end(server: Server) -> None:
    sent: list[int] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            for _ in range(200):
                request.wfile.write(bytes(1024 * 1024))
                sent.append(1)
        except OSError:
            request.close_connection = True

    server.answer = answer
    with pytest.raises(InputCorrupt, match=str(MAX_URL_BYTES)):
        get(server)
    assert len(sent) < 200


def test_a_body_that_breaks_off_may_be_whole_the_next_time(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        respond(request, 200, b"half", **{"Content-Length": "8"})
        request.close_connection = True

    server.answer = answer
    with pytest.raises(InputUnavailable, match="IncompleteRead"):
        get(server)


def test_a_host_that_drips_is_cut_off(server: Server) -> None:
    released = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        try:
            while not released.wait(0.02):
                request.wfile.write(b".")
        except OSError:
            request.close_connection = True

    server.answer = answer
    with pytest.raises(InputUnavailable, match="too slow"):
        get(server, total_s=0.3)
    released.set()


def test_the_next_address_is_tried_when_one_leads_nowhere(server: Server) -> None:
    server.answer = lambda request: respond(request, 200, b"pixels")
    assert get(server, resolve=lambda _: ["::1", "127.0.0.1"]) == b"pixels"


def test_a_host_without_an_answer_may_have_one_later(server: Server) -> None:
    def nobody(_: str) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(InputUnavailable, match="resolved"):
        get(server, resolve=nobody)
    with pytest.raises(InputUnavailable, match="no address"):
        get(server, resolve=lambda _: [])
