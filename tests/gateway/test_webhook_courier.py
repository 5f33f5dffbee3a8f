"""Webhooks on their way to shops, over real TLS: to the host that was named, and to no other."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path

import pytest

from contract.signing import new_secret
from gateway.adapters.webhook_courier import Reach, WebhookCourier
from gateway.outbox import DeliveryFailed
from tests.gateway.fakes import MovableClock
from tests.tls_server import TlsServer, respond, tls_server

HOST = "shop.example.com"
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
NOWHERE = "::1"
"""An address at which nobody listens: the server has the other one."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    with tls_server(tmp_path, HOST) as server:
        yield server


class Names:
    """A name server whose answers are told beforehand; the last one is repeated."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def reach(server: TlsServer, *answers: Sequence[str]) -> Reach:
    """A network in which loopback is the shops' own, and names lead to it, unless told else."""
    return Reach(LOOPBACK, Names(*(answers or [["127.0.0.1"]])), server.client_tls())


def deliver(server: TlsServer, where: Reach, *, host: str = HOST, body: bytes = b"{}") -> None:
    courier = WebhookCourier(MovableClock(), where)
    try:
        url = f"https://{host}:{server.port}/hook?shop=1"
        courier.deliver(url, new_secret(), "order-1.webhook.order.paid", body)
    finally:
        courier.close()


def test_a_webhook_goes_to_the_address_that_was_looked_up_under_the_hosts_own_name(
    server: TlsServer,
) -> None:
    where = reach(server)
    deliver(server, where, body=b'{"type": "order.paid"}')
    assert server.asked == [("/hook?shop=1", f"{HOST}:{server.port}")]
    assert server.bodies == [b'{"type": "order.paid"}']
    assert where.resolve.asked == [HOST]  # type: ignore[attr-defined]  # they are Names


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1"),
    ],
)
def test_a_name_that_leads_behind_our_network_is_refused(server: TlsServer, address: str) -> None:
    where = replace(reach(server, [address]), networks=())
    with pytest.raises(DeliveryFailed, match="isn't public") as refused:
        deliver(server, where)
    assert not refused.value.never  # the shop may mend its name
    assert HOST not in str(refused.value)
    assert server.asked == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(server: TlsServer) -> None:
    with pytest.raises(DeliveryFailed, match="isn't public"):
        deliver(server, replace(reach(server, ["8.8.8.8", "127.0.0.1"]), networks=()))
    assert server.asked == []


def test_a_name_that_leads_elsewhere_at_the_next_look_isnt_looked_up_again(
    server: TlsServer,
) -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    deliver(server, replace(reach(server), resolve=names))
    assert len(names.asked) == len(server.asked) == 1
    with pytest.raises(DeliveryFailed, match="isn't public"):
        deliver(server, replace(reach(server), resolve=names))
    assert len(server.asked) == 1


def test_an_address_is_refused_like_a_name(server: TlsServer) -> None:
    where = Reach(tls=server.client_tls())
    for host in ("127.0.0.1", "[::1]", "2130706433", "localhost"):
        with pytest.raises(DeliveryFailed, match=r"isn't public|can't be resolved"):
            deliver(server, where, host=host)
    assert server.asked == []


def test_a_name_without_an_address_is_no_crash(server: TlsServer) -> None:
    def unknown(_: str) -> Sequence[str]:
        raise socket.gaierror

    for resolve in (unknown, Names([])):
        with pytest.raises(DeliveryFailed, match="can't be resolved"):
            deliver(server, replace(reach(server), resolve=resolve))


def test_the_next_address_is_tried_where_one_leads_nowhere(server: TlsServer) -> None:
    deliver(server, reach(server, [NOWHERE, "127.0.0.1"]))
    assert len(server.asked) == 1
    with pytest.raises(DeliveryFailed, match="ConnectError"):
        deliver(server, reach(server, [NOWHERE]))


def test_a_certificate_must_be_for_the_hosts_name(server: TlsServer) -> None:
    with pytest.raises(DeliveryFailed, match="ConnectError"):
        deliver(server, reach(server), host="other.example.com")
    assert server.asked == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(server: TlsServer, status: int) -> None:
    def away(request: BaseHTTPRequestHandler) -> None:
        respond(request, status, b"", Location=f"https://{HOST}:{server.port}/else")

    server.answer = away
    with pytest.raises(DeliveryFailed, match=f"answered {status}"):
        deliver(server, reach(server))
    assert [path for path, _ in server.asked] == ["/hook?shop=1"]


def test_a_shop_that_is_gone_is_not_tried_again(server: TlsServer) -> None:
    for status, never in ((410, True), (404, False), (503, False)):
        server.answer = lambda request, status=status: respond(request, status, b"no")  # type: ignore[misc]
        with pytest.raises(DeliveryFailed) as refused:
            deliver(server, reach(server))
        assert refused.value.never is never


def test_no_proxy_of_the_environment_is_asked(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    deliver(server, reach(server))
    assert len(server.asked) == 1
