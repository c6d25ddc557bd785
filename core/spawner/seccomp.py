"""System calls that nobody in a box needs and that lead to the kernel's darker corners, refused by a small BPF program.

What a box may see is decided by namespaces; this is for what they do not cover. Kernel keyrings belong to a uid, which
all boxes of a platform share; the rest is a large part of the kernel's bugs that mattered. The list is of what is
refused, not of what is allowed: agents run compilers, debuggers and browsers.
"""

import platform
import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as the kernel's audit calls them

# name: (x86_64, aarch64)
REFUSED = {
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "perf_event_open": (298, 241),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
}
X32 = 0x40000000  # x86_64 numbers from here on are another table of the same calls: a way around the list

LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE = 0, 4  # where struct seccomp_data has them
ALLOW, REFUSE = 0x7FFF0000, 0x00050001  # EPERM


def program(machine: str = platform.machine()) -> bytes:
    """The filter for bubblewrap's `--seccomp`; empty for a machine whose call numbers we do not know."""
    if machine not in ARCHITECTURES:
        return b""
    column = list(ARCHITECTURES).index(machine)
    numbers = [row[column] for row in REFUSED.values()]
    # A jump counts the instructions to skip; the last two are "allow" and "refuse".
    checks = [(AT_LEAST, X32)] + [(EQUAL, number) for number in numbers]
    lines = [
        _line(LOAD, ARCHITECTURE),
        _line(EQUAL, ARCHITECTURES[machine], no=len(checks) + 2),  # a 32-bit call: all other numbers, so refuse
        _line(LOAD, NUMBER),
        *(_line(test, value, yes=len(checks) - index) for index, (test, value) in enumerate(checks)),
        _line(RETURN, ALLOW),
        _line(RETURN, REFUSE),
    ]
    return b"".join(lines)


def _line(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
