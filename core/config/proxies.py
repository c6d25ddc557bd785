"""Checks that OMA_TRUSTED_PROXIES names few addresses. A trusted proxy's word about the caller's address is
believed.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

Network = IPv4Network | IPv6Network
MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 addresses as dual-stack sockets show them
OURS = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
# Largest number of public addresses: the largest content networks have fewer, a single /8 of IPv4 has more.
MOST = {4: 2**23, 6: 2**104}


def too_trusting(names: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong with a list of trusted proxies."""
    networks: list[Network] = []
    for name in names:
        try:
            networks.append(_plain(ip_network(name, strict=False)))
        except ValueError:
            yield f"{name} is no address"
    for version in (4, 6):
        public = [one for one in networks if one.version == version and not any(_within(one, own) for own in OURS)]
        collapsed: Iterable[Network] = collapse_addresses(public)  # type: ignore[type-var]
        count = sum(one.num_addresses for one in collapsed)
        if count > MOST[version]:
            yield f"{count:,} public addresses are too much of the internet"


def _plain(network: Network) -> Network:
    """Return an IPv6 network that holds IPv4 addresses as the IPv4 network that it means."""
    if isinstance(network, IPv6Network) and network.overlaps(MAPPED):
        bits = max(0, network.prefixlen - MAPPED.prefixlen)
        return IPv4Network((int(network.network_address) & 0xFFFFFFFF if bits else 0, bits))
    return network


def _within(network: Network, other: Network) -> bool:
    return network.version == other.version and network.subnet_of(other)  # type: ignore[arg-type]
