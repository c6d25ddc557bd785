"""Tests of the targets that an agent may connect to: a table of attacks and honest requests."""

import pytest

from core.domain.errors import PlatformError
from core.gateway.egress.policy import Policy, Refused, Target, Unreachable
from tests.core.gateway.egress.world import OTHER, PUBLIC, World

NAMES = {
    "example.com": [PUBLIC],
    "api.example.com": [OTHER, PUBLIC],
    "v6.example.com": ["2606:4700::1111"],
    "nat64.example.com": ["64:ff9b::5db8:d70e"],
    "private.evil.test": ["10.1.2.3"],
    "mixed.evil.test": [PUBLIC, "127.0.0.1"],
    "mapped.evil.test": ["::ffff:169.254.169.254"],
    "zone.evil.test": ["fe80::1%eth0"],
    "many.evil.test": [PUBLIC] * 15 + ["192.168.0.1"],
    "odd.evil.test": ["not an address"],
    "own.evil.test": ["93.184.215.99"],
    "metadata.goog": [PUBLIC],
    "printer.local": [PUBLIC],
    "localhost": [PUBLIC],
    "kubernetes.default.svc": [PUBLIC],
}
ANY = ("*",)
# host, port, the agent's list, and what of the reason must be said (empty: it is connected)
TABLE: tuple[tuple[str, int, tuple[str, ...], str], ...] = (
    ("example.com", 443, ANY, ""),
    ("EXAMPLE.com.", 80, ANY, ""),
    ("example.com", 22, ANY, ""),
    ("api.example.com", 443, ("*.example.com",), ""),
    ("example.com", 443, ("example.com",), ""),
    ("v6.example.com", 443, ANY, ""),
    ("nat64.example.com", 443, ANY, ""),
    (PUBLIC, 443, ANY, ""),
    ("[2606:4700::1111]", 443, ANY, ""),
    # names
    ("localhost", 443, ANY, "its network"),
    ("metadata.goog", 80, ANY, "metadata"),
    ("metadata.google.internal", 80, ANY, "metadata"),
    ("printer.local", 80, ANY, "its network"),
    ("kubernetes.default.svc", 443, ANY, "its network"),
    ("evil\0.example.com", 443, ANY, "characters"),
    ("example.com\r\nX", 443, ANY, "characters"),
    ("2852039166", 80, ANY, "spelling"),  # 169.254.169.254 in decimal,
    ("0xa9fea9fe", 80, ANY, "spelling"),  # hexadecimal
    ("0251.0376.0251.0376", 80, ANY, "spelling"),  # and octal
    ("169.254.43518", 80, ANY, "spelling"),
    ("127.1", 80, ANY, "spelling"),
    ("１２７.0.0.1", 80, ANY, "itself"),
    # ports
    ("example.com", 25, ANY, "port 25"),
    ("example.com", 8080, ANY, "port 8080"),
    # the agent's list
    ("example.com", 443, (), "list"),
    ("example.com", 443, ("*.example.com",), "list"),
    ("api.example.com", 443, ("example.com",), "list"),
    ("example.com", 443, ("example.org", "notexample.com"), "list"),
    # addresses
    ("127.0.0.1", 80, ANY, "itself"),
    ("127.8.9.10", 80, ANY, "itself"),
    ("0.0.0.0", 80, ANY, "unspecified"),
    ("10.0.0.1", 80, ANY, "private"),
    ("172.31.255.255", 80, ANY, "private"),
    ("192.168.1.1", 80, ANY, "private"),
    ("100.64.0.1", 80, ANY, "provider"),
    ("100.100.100.200", 80, ANY, "provider"),
    ("169.254.169.254", 80, ANY, "link-local"),
    ("168.63.129.16", 80, ANY, "metadata"),
    ("192.0.0.192", 80, ANY, "reserved"),
    ("198.18.0.1", 80, ANY, "reserved"),
    ("203.0.113.1", 80, ANY, "reserved"),
    ("192.0.2.1", 80, ANY, "reserved"),
    ("192.88.99.1", 80, ANY, "reserved"),
    ("198.51.100.1", 80, ANY, "reserved"),
    ("[fec0::1]", 80, ANY, "private"),
    ("[3fff::1]", 80, ANY, "reserved"),
    ("224.0.0.1", 80, ANY, "multicast"),
    ("255.255.255.255", 80, ANY, "reserved"),
    ("[::1]", 80, ANY, "itself"),
    ("[::]", 80, ANY, "unspecified"),
    ("[fe80::1]", 80, ANY, "link-local"),
    ("[fd00:ec2::254]", 80, ANY, "private"),
    ("[fd20:ce::254]", 80, ANY, "private"),
    ("[ff02::1]", 80, ANY, "multicast"),
    ("[::ffff:a9fe:a9fe]", 80, ANY, "link-local"),
    ("[::ffff:127.0.0.1]", 80, ANY, "itself"),
    ("[::127.0.0.1]", 80, ANY, "reserved"),
    ("[2002:7f00:1::]", 80, ANY, "tunnel"),
    ("[64:ff9b::a9fe:a9fe]", 80, ANY, "link-local"),
    ("[64:ff9b::a00:1]", 80, ANY, "private"),
    ("[64:ff9b:1::a00:1]", 80, ANY, "reserved"),
    ("[2001:0:53aa:64c::]", 80, ANY, "tunnel"),
    ("[2606:4700::5efe:a00:1]", 80, ANY, "tunnel"),
    ("[2001:db8::1]", 80, ANY, "reserved"),
    ("[4000::1]", 80, ANY, "reserved"),
    ("private.evil.test", 443, ANY, "leads to 10.1.2.3"),
    ("mixed.evil.test", 443, ANY, "leads to 127.0.0.1"),
    ("mapped.evil.test", 443, ANY, "leads to 169.254.169.254"),
    ("zone.evil.test", 443, ANY, "leads to fe80::1"),
    ("many.evil.test", 443, ANY, "leads to 192.168.0.1"),
    ("odd.evil.test", 443, ANY, "cannot be read"),
    # this machine by a public number
    ("93.184.215.99", 443, ANY, "itself"),
    ("own.evil.test", 443, ANY, "itself"),
)


async def wrong(row: tuple[str, int, tuple[str, ...], str]) -> str:
    """Return how the policy's answer differs from the table's; empty if it does not."""
    host, port, allowed, reason = row
    world = World(names={name: [addresses] for name, addresses in NAMES.items()}, own={"93.184.215.99"})
    try:
        await Policy(world.outside).addresses(Target(host, port), allowed=allowed)
    except PlatformError as error:
        expected = reason and isinstance(error, Refused) and reason in str(error)
        return "" if expected else f"{host}: {error}"
    return f"{host} was allowed" if reason else ""


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]!r}:{row[1]}")
async def test_the_table(row: tuple[str, int, tuple[str, ...], str]) -> None:
    assert await wrong(row) == ""


async def test_a_name_that_nobody_has_is_not_refused_but_unknown() -> None:
    with pytest.raises(Unreachable, match=r"nobody\.example\.com is not known"):
        await Policy(World().outside).addresses(Target("nobody.example.com", 443), allowed=ANY)


async def test_what_is_not_allowed_is_not_even_looked_up() -> None:
    world = World(names={"example.com": [[PUBLIC]]})
    for target, allowed in ((Target("example.com", 25), ANY), (Target("example.com", 443), ())):
        with pytest.raises(Refused):
            await Policy(world.outside).addresses(target, allowed=allowed)
    assert world.resolved == [], "a lookup is a message to whoever owns the name"
