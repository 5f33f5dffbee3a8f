"""Brings shops their webhooks over HTTP, and to nobody behind our own network."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from ssl import SSLContext
from typing import Final

import httpx

from contract.public_addresses import is_public
from contract.signing import sign
from gateway.outbox import DeliveryFailed
from gateway.ports import Clock
from gateway.rate_limits import Network

_TIMEOUT: Final = httpx.Timeout(15, connect=5)
_GONE: Final = 410
_MOST_ADDRESSES: Final = 4
"""Of a host, that are tried: together they must not take longer than a claim on a webhook lasts."""


def resolve(host: str) -> list[str]:
    """Every address of a host.

    Raises:
        OSError: it can't be resolved.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class Reach:
    """Where webhooks may go: to public addresses and into ``networks``. ``resolve`` finds a host's
    addresses; without ``tls`` certificates are checked against the usual authorities."""

    networks: tuple[Network, ...] = ()
    resolve: Callable[[str], Sequence[str]] = resolve
    tls: SSLContext | None = None

    def addresses(self, host: str) -> Sequence[str]:
        """The addresses of a host, all of which may be called.

        Raises:
            DeliveryFailed: one of them may not be, or there is none. A name with addresses of
                both kinds may have been made to slip through.
        """
        try:
            found = self.resolve(host)
        except (OSError, UnicodeError):
            raise DeliveryFailed("the shop's host can't be resolved") from None
        if not found:
            raise DeliveryFailed("the shop's host can't be resolved")
        if not all(self._allows(address) for address in found):
            raise DeliveryFailed("the shop's host has an address that isn't public")
        return found

    def _allows(self, address: str) -> bool:
        if is_public(address):
            return True
        ip = ip_address(address.partition("%")[0])
        return any(ip in network for network in self.networks)


class WebhookCourier:
    """Posts JSON, signed by Standard Webhooks.

    A name may lead to another address at every look. So it is looked up here, and the connection
    goes to the very address that was checked. Redirects aren't followed, and proxies aren't used:
    they would look the name up again.
    """

    def __init__(self, clock: Clock, reach: Reach | None = None) -> None:
        self._clock = clock
        self._reach = reach or Reach()
        self._client = httpx.Client(
            verify=self._reach.tls or True,
            timeout=_TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            # Connections are kept by address: another shop's at the same one would be taken for it.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def deliver(self, url: str, secret: str, message_id: str, body: bytes) -> None:
        """Post ``body`` to ``url``.

        Raises:
            DeliveryFailed: its host isn't to be called, or it wasn't answered by 2xx. The message
                repeats neither URL nor answer.
        """
        headers = {
            "content-type": "application/json",
            **sign(secret, message_id, body, self._clock.now()),
        }
        with _translated():
            status = self._post(httpx.URL(url), body, headers)
        if not 200 <= status < 300:
            raise DeliveryFailed(f"the shop answered {status}", never=status == _GONE)

    def _post(self, url: httpx.URL, body: bytes, headers: dict[str, str]) -> int:
        """Post to the first address that takes connections; return the answer's status."""
        host = url.raw_host.decode("ascii")
        unreachable: httpx.TransportError | None = None
        for address in self._reach.addresses(host)[:_MOST_ADDRESSES]:
            request = self._client.build_request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**headers, "host": url.netloc.decode("ascii")},
                # By this name, and no other, the certificate is checked.
                extensions={"sni_hostname": host},
            )
            try:
                # What the shop says beyond the status is of no interest, however much it is.
                answer = self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                unreachable = error  # a host may have addresses that lead nowhere from here
                continue
            answer.close()
            return answer.status_code
        assert unreachable  # there is an address at least
        raise unreachable

    def close(self) -> None:
        """End the connections."""
        self._client.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what httpx raises into our error; none of its own texts, which name hosts."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DeliveryFailed(f"the shop can't be reached: {type(error).__name__}") from None
