"""How often a caller may do what costs something: which rules there are, and who counts as one.

Pure; who counts is behind the port :class:`RateLimiter`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol, Self

Network = IPv4Network | IPv6Network

UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}

_RATE = re.compile(r"([1-9]\d{0,8})/(second|minute|hour|day)")
_PORT = re.compile(r"(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?")
_HOMES_PREFIX = 64


class Rule(StrEnum):
    """What is counted apart from everything else. ``SHOPS`` is all that a shop's server does."""

    UPLOADS = "uploads"
    PREVIEWS = "previews"
    PAGES = "pages"
    CHECKOUTS = "checkouts"
    LOGINS = "logins"
    READS = "reads"
    SHOPS = "shops"


@dataclass(frozen=True)
class Rate:
    """At most ``amount`` calls in any ``window_s`` seconds."""

    amount: int
    window_s: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rate such as ``30/hour``.

        Raises:
            ValueError: it isn't of that form.
        """
        parts = _RATE.fullmatch(text.strip())
        if parts is None:
            raise ValueError("must be like 30/hour (second, minute, hour, day), or off")
        return cls(int(parts[1]), UNITS_S[parts[2]])

    def __str__(self) -> str:
        """The rate as it is written, such as ``30/hour``."""
        unit = next((unit for unit, length in UNITS_S.items() if length == self.window_s), None)
        return f"{self.amount}/{unit or f'{self.window_s} s'}"


@dataclass(frozen=True)
class Count:
    """What is left after a call: whether it may go on, how many more may follow, and in how many
    seconds there will be more."""

    allowed: bool
    remaining: int
    reset_s: int


class RateLimiter(Protocol):
    """Counts calls."""

    async def hit(self, rule: Rule, rate: Rate, caller: str) -> Count:
        """Count a call of ``caller`` under ``rule``. One that isn't allowed isn't counted."""
        ...


def client_address(peer: str | None, forwarded: str, trusted: tuple[Network, ...]) -> str:
    """Return the address of whoever calls: as it is counted, not as it is written.

    ``peer`` is the other end of the connection; ``forwarded`` is ``X-Forwarded-For``, in which
    every proxy appends who called it. It is followed from its end for as long as ``trusted``
    proxies wrote it: what stands before that may be anybody's invention. Of an IPv6 address the
    first 64 bits count, because a home has all that follow.
    """
    address = _parsed(peer or "")
    for hop in reversed(forwarded.split(",")):
        if address is None or not any(address in network for network in trusted):
            break
        written = _parsed(hop)
        if written is None:
            break
        address = written
    if address is None:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, _HOMES_PREFIX), strict=False))
    return str(address)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    text = text.strip()
    with_port = _PORT.fullmatch(text)
    if with_port:
        text = with_port[1] or with_port[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
