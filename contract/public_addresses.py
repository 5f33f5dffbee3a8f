"""Which IP addresses are of the public internet.

Both images call hosts that somebody else named: the worker fetches inputs, the gateway brings
webhooks. Such a name must not lead behind their own network: to loopback, other machines there, or
a cloud's metadata.
"""

import ipaddress


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and of one machine there."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return ip.ipv4_mapped is not None and is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # an IPv4 address behind a translator
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast
