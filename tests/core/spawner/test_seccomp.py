"""The filter as data: its jumps land where they should for every kind of call."""

import struct

import pytest

from core.spawner.seccomp import (
    ALLOW,
    ARCHITECTURES,
    CLONE,
    CLONE3,
    FALLOCATE,
    FAMILIES,
    IOCTL,
    REFUSE,
    REFUSED,
    RESERVE,
    SOCKETS,
    UNKNOWN,
    UNSUPPORTED,
    program,
)

READ = {"x86_64": 0, "aarch64": 63}
I386 = 0x40000003


def verdict(machine: str, number: int, architecture: int, first: int = 0, second: int = 0) -> int:
    """Return the kernel's answer to a call and its first arguments, by running the five instructions that we use."""
    lines = list(struct.iter_unpack("HBBI", program(machine)))
    value, at = 0, 0
    while True:
        code, yes, no, operand = lines[at]
        at += 1
        if code == 0x20:
            value = {0: number, 4: architecture, 16: first, 24: second}[operand]
        elif code in (0x15, 0x35, 0x45):
            so = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            at += yes if so else no
        else:
            return operand


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_listed_is_refused_and_everything_else_is_let_through(machine: str) -> None:
    column = list(ARCHITECTURES).index(machine)
    answers = {row[column]: REFUSE for row in REFUSED.values()}
    answers |= {CLONE3[column]: UNKNOWN, FALLOCATE[column]: UNSUPPORTED}
    for number in range(500):
        assert verdict(machine, number, ARCHITECTURES[machine]) == answers.get(number, ALLOW), number


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_a_child_gets_no_namespace_of_its_own_and_threads_are_made(machine: str) -> None:
    clone = CLONE[list(ARCHITECTURES).index(machine)]
    for namespace in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, clone, ARCHITECTURES[machine], namespace | 17) == REFUSE, hex(namespace)
    for usual in (17, 0x3D0F00, 0x1200011, 0x4111):  # a child, a thread, a fork, a spawned program
        assert verdict(machine, clone, ARCHITECTURES[machine], usual) == ALLOW, hex(usual)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_room_on_a_disk_is_not_reserved_by_another_name(machine: str) -> None:
    ioctl = IOCTL[list(ARCHITECTURES).index(machine)]
    for request in range(0x40305800, 0x40305880):
        wanted = UNSUPPORTED if request in RESERVE else ALLOW
        assert verdict(machine, ioctl, ARCHITECTURES[machine], 3, request) == wanted, hex(request)


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_other_tables_of_call_numbers_are_no_way_around(machine: str) -> None:
    assert verdict(machine, READ[machine], I386) == REFUSE
    assert verdict(machine, 0x40000000 + 250, ARCHITECTURES[machine]) == REFUSE


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_sockets_that_no_network_namespace_keeps_in_are_refused_and_others_are_not(machine: str) -> None:
    for row in SOCKETS.values():
        for family in range(50):
            wanted = REFUSE if family in FAMILIES.values() else ALLOW
            number = row[list(ARCHITECTURES).index(machine)]
            assert verdict(machine, number, ARCHITECTURES[machine], family) == wanted, family


def test_a_machine_whose_numbers_are_unknown_gets_no_wrong_filter() -> None:
    assert program("riscv64") == b""
