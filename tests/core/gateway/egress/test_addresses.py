"""This machine's own addresses are known whatever their numbers, and the two lists agree with Python's."""

import ipaddress
import random

from core.gateway.egress.addresses import is_own, refusal_reason, unmapped


def test_only_this_machines_addresses_are_its_own() -> None:
    assert is_own(unmapped("127.0.0.1"))
    assert not is_own(unmapped("93.184.215.14"))
    assert not is_own(unmapped("2606:4700::1111"))


def test_nothing_that_python_calls_private_is_let_through() -> None:
    chance = random.Random(7)
    for _ in range(20_000):
        for address in (ipaddress.IPv4Address(chance.getrandbits(32)), ipaddress.IPv6Address(chance.getrandbits(128))):
            if address.is_private or address.is_multicast or address.is_reserved or address.is_link_local:
                assert refusal_reason(address), address


def test_the_edges_of_each_network_are_inside_it_and_their_neighbours_are_not() -> None:
    for first, last in (
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.168.0.0", "192.168.255.255"),
    ):
        inside = ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
        assert all(refusal_reason(address) for address in inside)
        assert not any(refusal_reason(address) for address in (inside[0] - 1, inside[1] + 1))
