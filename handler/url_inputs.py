"""Inputs read by https, from hosts that the operator allows and from nowhere else.

A job's URL must not make the worker read what lies behind its own network: cloud metadata, other
pods, loopback. So the host must be on the list, every address that it resolves to must be public,
and the connection goes to the very address that was checked.
"""

import http.client
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import SplitResult, quote, urlsplit

from contract.public_addresses import is_public
from handler.errors import InputCorrupt, InputNotFound, InputRefused, InputUnavailable

MAX_URL_BYTES: Final = 32 * 1024 * 1024

_PORT: Final = 443
_CONNECT_S: Final = 5.0
_CHUNK_BYTES: Final = 64 * 1024
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def resolve(host: str) -> list[str]:
    """Every address of a host.

    Raises:
        OSError: it can't be resolved.
    """
    found = socket.getaddrinfo(host, _PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class Network:
    """How hosts are found and reached. ``tls`` checks certificates against the host's name."""

    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    resolve: Callable[[str], Sequence[str]] = resolve
    is_public: Callable[[str], bool] = is_public
    port: int = _PORT
    total_s: float = 30.0


class UrlInputs:
    """Reads https URLs of ``hosts``: exact names, or ``*.suffix`` for every name below it."""

    def __init__(self, hosts: Sequence[str], network: Network | None = None) -> None:
        self._hosts = frozenset(host for host in hosts if not host.startswith("*."))
        self._suffixes = tuple(host[1:] for host in hosts if host.startswith("*."))
        self._network = network or Network()

    def get(self, url: str) -> bytes:
        """Return what lies under ``url``, of at most 32 MB. Blocks, for half a minute at most once
        the host's addresses are known.

        No error's text has more of the URL than its host.

        Raises:
            InputRefused: it isn't https, its host isn't allowed or not public, or it says something
                else than 200, a redirection for example.
            InputNotFound: there is nothing.
            InputCorrupt: it is too large.
            InputUnavailable: its host can't be reached, fails, or is too slow: later, perhaps.
        """
        parts = self._checked(url)
        host = parts.hostname or ""
        error = InputUnavailable(f"the host {host} has no address")
        with _Limit(self._network.total_s) as limit:
            for address in self._addresses(host):
                try:
                    return self._read(host, address, _target(parts), limit)
                except InputUnavailable as unreachable:
                    error = unreachable  # a host may have addresses that lead nowhere from here
                    if limit.passed:
                        break
        raise error

    def _checked(self, url: str) -> SplitResult:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InputRefused("an input's URL is not a URL") from None
        host = parts.hostname or ""
        if parts.scheme != "https" or parts.username is not None or parts.password is not None:
            raise InputRefused("an input's URL begins with https:// and has no credentials")
        if not _HOST.fullmatch(host) or not self._allowed(host) or port not in (None, _PORT):
            raise InputRefused("the host of an input's URL is not in INPUT_URL_HOSTS")
        return parts

    def _allowed(self, host: str) -> bool:
        return host in self._hosts or host.endswith(self._suffixes)

    def _addresses(self, host: str) -> Sequence[str]:
        try:
            addresses = self._network.resolve(host)
        except OSError:
            raise InputUnavailable(f"the host {host} can't be resolved") from None
        if not all(self._network.is_public(address) for address in addresses):
            raise InputRefused(f"the host {host} has an address that is not public")
        return addresses

    def _read(self, host: str, address: str, target: str, limit: "_Limit") -> bytes:
        network = self._network
        connection = _Connection(host, address, network.port, network.tls(), limit)
        with _translated(host, limit), closing(connection):
            connection.request("GET", target, headers={"Accept-Encoding": "identity"})
            with closing(connection.getresponse()) as answer:
                _check_status(host, answer.status)
                return _body(host, answer)


class _Limit:
    """Bounds a whole exchange, not only the time between two bytes: it cuts the connection."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def watch(self, connected: socket.socket) -> None:
        """Cut this one when time is up.

        Raises:
            TimeoutError: it is up.
        """
        self._socket = connected
        if self.passed:
            raise TimeoutError

    def _cut(self) -> None:
        self.passed = True
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPSConnection):
    """A connection to one address; the host's name is for TLS and for the Host header."""

    def __init__(
        self, host: str, address: str, port: int, tls: ssl.SSLContext, limit: _Limit
    ) -> None:
        super().__init__(host, _PORT, context=tls)
        self._address = (address, port)
        self._tls = tls
        self._limit = limit

    def connect(self) -> None:
        raw = socket.create_connection(self._address, _CONNECT_S)
        raw.settimeout(self._limit.seconds)
        with ExitStack() as undo:
            undo.callback(raw.close)
            self._limit.watch(raw)
            self.sock = self._tls.wrap_socket(raw, server_hostname=self.host)
            undo.pop_all()
        self._limit.watch(self.sock)


@contextmanager
def _translated(host: str, limit: _Limit) -> Iterator[None]:
    """Turn what a connection raises into our errors; none of their own texts is passed on."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise InputRefused(f"the host {host} has no valid certificate") from None
    except (OSError, http.client.HTTPException) as error:
        reason = "is too slow" if limit.passed else f"failed: {type(error).__name__}"
        raise InputUnavailable(f"the host {host} {reason}") from None


def _check_status(host: str, status: int) -> None:
    if status == http.client.OK:
        return
    if status in _GONE:
        raise InputNotFound(f"the host {host} answered {status} to an input's URL")
    if status >= 500 or status in _LATER:
        raise InputUnavailable(f"the host {host} answered {status}")
    raise InputRefused(f"the host {host} answered {status} to an input's URL")


def _body(host: str, answer: http.client.HTTPResponse) -> bytes:
    data = bytearray()
    while chunk := answer.read(_CHUNK_BYTES):
        data += chunk
        if len(data) > MAX_URL_BYTES:
            raise InputCorrupt(f"an input of {host} has more than {MAX_URL_BYTES} bytes")
    if answer.length:  # bytes that were promised and didn't come
        raise http.client.IncompleteRead(b"", answer.length)
    return bytes(data)


def _target(parts: SplitResult) -> str:
    """Path and query as they are sent; characters that no request line may hold are quoted."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return f"{path}?{query}" if query else path
