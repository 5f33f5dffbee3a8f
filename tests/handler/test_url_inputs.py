"""Inputs by https: what is refused unasked, and a real TLS server that answers in odd ways."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from contract.errors import ErrorCode
from contract.public_addresses import is_public
from handler.errors import (
    InputCorrupt,
    InputNotFound,
    InputRefused,
    InputUnavailable,
    WorkerError,
)
from handler.url_inputs import MAX_URL_BYTES, Network, UrlInputs
from tests.tls_server import TlsServer, respond, tls_server

HOST = "images.example.com"


def network(server: TlsServer, **changes: object) -> Network:
    """A network in which every host is this server, which counts as public."""
    fields: dict[str, object] = {
        "tls": server.client_tls,
        "resolve": lambda _: ["127.0.0.1"],
        "is_public": lambda _: True,
        "port": server.port,
    }
    return Network(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path, HOST) as server:
        yield server


def get(server: TlsServer, path: str = "/a.png", **changes: object) -> bytes:
    return UrlInputs([HOST], network(server, **changes)).get(f"https://{HOST}{path}")


def test_an_allowed_host_is_asked_under_its_own_name(server: TlsServer) -> None:
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
def test_what_is_not_allowed_is_refused_without_asking_anybody(server: TlsServer, url: str) -> None:
    asked: list[str] = []

    def resolve(host: str) -> list[str]:
        asked.append(host)
        return []

    with pytest.raises(InputRefused):
        UrlInputs([HOST], network(server, resolve=resolve)).get(url)
    assert asked == []


def test_a_suffix_allows_every_name_below_it_and_not_itself(server: TlsServer) -> None:
    inputs = UrlInputs(["*.example.com"], network(server))
    assert inputs.get(f"https://{HOST}/") == b""
    for host in ("example.com", "badexample.com"):
        with pytest.raises(InputRefused):
            inputs.get(f"https://{host}/")


def test_without_a_list_no_host_is_allowed(server: TlsServer) -> None:
    with pytest.raises(InputRefused, match="INPUT_URL_HOSTS"):
        UrlInputs([], network(server)).get(f"https://{HOST}/")


def test_one_private_address_among_others_is_enough_to_refuse(server: TlsServer) -> None:
    addresses = ["8.8.8.8", "10.0.0.1"]
    with pytest.raises(InputRefused, match="not public"):
        get(server, resolve=lambda _: addresses, is_public=is_public)
    assert server.asked == []


def test_a_certificate_for_another_name_is_refused(server: TlsServer) -> None:
    inputs = UrlInputs(["other.example.com"], network(server))
    with pytest.raises(InputRefused, match="certificate"):
        inputs.get("https://other.example.com/")


def test_a_certificate_that_nobody_vouches_for_is_refused(server: TlsServer) -> None:
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
    server: TlsServer, status: int, error: type[WorkerError], code: ErrorCode
) -> None:
    server.answer = lambda request: respond(request, status, b"", Location=f"https://{HOST}/b")
    with pytest.raises(error) as failure:
        get(server, "/a.png?token=secret")
    assert failure.value.code is code
    assert "secret" not in str(failure.value)
    assert "a.png" not in str(failure.value)
    assert len(server.asked) == 1


def test_a_body_over_the_limit_is_not_read_to_its_end(server: TlsServer) -> None:
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


def test_a_body_that_breaks_off_may_be_whole_the_next_time(server: TlsServer) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        respond(request, 200, b"half", **{"Content-Length": "8"})
        request.close_connection = True

    server.answer = answer
    with pytest.raises(InputUnavailable, match="IncompleteRead"):
        get(server)


def test_a_host_that_drips_is_cut_off(server: TlsServer) -> None:
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


def test_the_next_address_is_tried_when_one_leads_nowhere(server: TlsServer) -> None:
    server.answer = lambda request: respond(request, 200, b"pixels")
    assert get(server, resolve=lambda _: ["::1", "127.0.0.1"]) == b"pixels"


def test_a_host_without_an_answer_may_have_one_later(server: TlsServer) -> None:
    def nobody(_: str) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(InputUnavailable, match="resolved"):
        get(server, resolve=nobody)
    with pytest.raises(InputUnavailable, match="no address"):
        get(server, resolve=lambda _: [])
