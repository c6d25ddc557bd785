"""Tells public internet addresses from those of this machine, its networks and its cloud."""

import contextlib
import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

V4 = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "an unspecified address"),
        ("10.0.0.0/8", "a private address"),
        ("100.64.0.0/10", "an address inside a provider's network"),
        ("127.0.0.0/8", "this machine itself"),
        ("168.63.129.16/32", "a cloud's metadata service"),  # Azure's: a public number
        ("169.254.0.0/16", "a link-local address (clouds keep their metadata there)"),
        ("172.16.0.0/12", "a private address"),
        ("192.0.0.0/24", "a reserved address"),
        ("192.0.2.0/24", "a reserved address"),
        ("192.88.99.0/24", "a reserved address"),
        ("192.168.0.0/16", "a private address"),
        ("198.18.0.0/15", "a reserved address"),
        ("198.51.100.0/24", "a reserved address"),
        ("203.0.113.0/24", "a reserved address"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
    )
)
V6 = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::1/128", "this machine itself"),
        ("::/128", "an unspecified address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
        ("2001::/23", "an address of a tunnel or a protocol"),  # Teredo, ORCHID, benchmarks
        ("2002::/16", "an address of a tunnel"),  # 6to4 can lead to any IPv4 address
        ("2001:db8::/32", "a reserved address"),
        ("3fff::/20", "a reserved address"),
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")  # all public addresses that are assigned
NAT64 = IPv6Network("64:ff9b::/96")  # how IPv4 is reached from a network that has only IPv6


def unmapped(text: str) -> Address:
    """Parse an address; an IPv4-mapped IPv6 address becomes IPv4. Raises: ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def refusal_reason(address: Address) -> str:
    """Return why no box may connect to this address; empty for one of the public internet."""
    if isinstance(address, IPv6Address):
        return _refused_v6(address)
    for network, reason in V4:
        if address in network:
            return reason
    return ""


def _refused_v6(address: IPv6Address) -> str:
    if address in NAT64:
        return refusal_reason(IPv4Address(int(address) & 0xFFFFFFFF))
    for network, reason in V6:
        if address in network:
            return reason
    # ISATAP: the last eight bytes name an IPv4 address that the packet is sent to
    if int(address) >> 32 & 0xFDFFFFFF == 0x00005EFE:
        return "an address of a tunnel"
    return "" if address in GLOBAL_V6 else "a reserved address"


def is_own(address: Address) -> bool:
    """Return whether the address is one of this machine's, by trying to bind to it."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))
        return True
    return False
