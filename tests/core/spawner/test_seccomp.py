"""The filter as data: its jumps land where they should for every kind of call."""

import struct

import pytest

from core.spawner.seccomp import ALLOW, ARCHITECTURES, FAMILIES, REFUSE, REFUSED, SOCKETS, program

READ = {"x86_64": 0, "aarch64": 63}
I386 = 0x40000003


def verdict(machine: str, number: int, architecture: int, first: int = 0) -> int:
    """What the kernel would answer to a call and its first argument: the four instructions we use, run by hand."""
    lines = list(struct.iter_unpack("HBBI", program(machine)))
    value, at = 0, 0
    while True:
        code, yes, no, operand = lines[at]
        at += 1
        if code == 0x20:
            value = {0: number, 4: architecture, 16: first}[operand]
        elif code in (0x15, 0x35):
            at += yes if (value == operand if code == 0x15 else value >= operand) else no
        else:
            return operand


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_listed_is_refused_and_everything_else_is_let_through(machine: str) -> None:
    numbers = {row[list(ARCHITECTURES).index(machine)] for row in REFUSED.values()}
    for number in range(500):
        wanted = REFUSE if number in numbers else ALLOW
        assert verdict(machine, number, ARCHITECTURES[machine]) == wanted, number


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
