"""Looking up a host name, and refusing where no actor lives: the metadata services of cloud machines.

A name is looked up once and the connection goes to the address that was checked. Looked up again for the
connection, the name could give another answer.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from pipelinejobs.util.errors import Undelivered

_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata services outside the link-local ranges: Amazon's over IPv6, and Alibaba's."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the order in which they are to be tried, as texts.

    This can take as long as the system's resolver likes.

    Raises:
        Undelivered: the name does not resolve, or one of its addresses is refused.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for names with an empty or an overlong part
        raise Undelivered(f"the host name {host} does not resolve") from None
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if any(is_refused(address) for address in addresses):
        raise Undelivered(f"{host} is a link-local or metadata address; messages are not sent there")
    return addresses


def is_refused(address: str) -> bool:
    """Whether an address is link-local (169.254.0.0/16, fe80::/10) or a metadata service, in whatever wrapping."""
    parsed = ip_address(address)
    inner = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    return any(one.is_link_local or one in _METADATA for one in (parsed, inner) if one is not None)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
