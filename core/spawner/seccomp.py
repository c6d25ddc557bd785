"""Refuses system calls that a box does not need and that have often led to kernel bugs, by a small BPF program.

Namespaces decide what a box can see; this filter is for what they do not cover. Kernel keyrings belong to a uid, which
all boxes of a platform may share; the other calls account for many serious bugs of the kernel. It lists the refused
calls, not the allowed ones, because agents run compilers, debuggers and browsers.
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
    "syslog": (103, 116),  # the kernel's log may tell about other boxes
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
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
}
# These are answered as if kernel or file system lacked them, so that programs do without: a filter cannot see the
# flags of clone3, and fallocate fills a disk faster than disk.py looks, without any limit.
CLONE3, FALLOCATE = (435, 435), (285, 47)
CLONE, NAMESPACES = (56, 220), 0x7E020000  # the way around unshare: what it can make, as flags
IOCTL, RESERVE = (16, 29), (0x40305828, 0x4030582A, 0x40305839)  # the way around fallocate: FS_IOC_RESVSP and others
# Sockets that a network namespace does not confine: to the hypervisor and its other guests, to the kernel's ciphers.
FAMILIES = {"AF_VSOCK": 40, "AF_ALG": 38}
SOCKETS = {"socket": (41, 198), "socketpair": (53, 199)}
X32 = 0x40000000  # x86_64 numbers from here on are a second table of the same calls, which would bypass the list

LOAD, EQUAL, AT_LEAST, ANY_OF, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND = 0, 4, 16, 24  # offsets in struct seccomp_data; of an argument, the lower half
ALLOW, REFUSE, UNKNOWN, UNSUPPORTED = 0x7FFF0000, 0x00050001, 0x00050026, 0x0005005F  # EPERM, ENOSYS, EOPNOTSUPP


def program(machine: str = platform.machine()) -> bytes:
    """Return the filter for bubblewrap's `--seccomp`; empty for a machine whose call numbers we do not know."""
    if machine not in ARCHITECTURES:
        return b""
    column = list(ARCHITECTURES).index(machine)
    # A step has an operation, its operand, and the labels to go to if it is true or false. None is the next step.
    steps: list[tuple[int, int, str | None, str | None]] = [
        (LOAD, ARCHITECTURE, None, None),
        (EQUAL, ARCHITECTURES[machine], None, "refuse"),  # a 32-bit call: all other numbers
        (LOAD, NUMBER, None, None),
        (AT_LEAST, X32, "refuse", None),
        *((EQUAL, row[column], "refuse", None) for row in REFUSED.values()),
        *((EQUAL, row[column], "families", None) for row in SOCKETS.values()),
        (EQUAL, CLONE[column], "clone", None),
        (EQUAL, IOCTL[column], "ioctl", None),
        (EQUAL, CLONE3[column], "unknown", None),
        (EQUAL, FALLOCATE[column], "unsupported", None),
        (RETURN, ALLOW, None, None),
    ]
    at: dict[str, int] = {}
    for label, argument, tests in (
        ("families", FIRST, [(EQUAL, family, "refuse", None) for family in FAMILIES.values()]),
        ("clone", FIRST, [(ANY_OF, NAMESPACES, "refuse", None)]),
        ("ioctl", SECOND, [(EQUAL, request, "unsupported", None) for request in RESERVE]),
    ):
        at[label] = len(steps)
        steps += [(LOAD, argument, None, None), *tests, (RETURN, ALLOW, None, None)]
    for label, answer in (("refuse", REFUSE), ("unknown", UNKNOWN), ("unsupported", UNSUPPORTED)):
        at[label] = len(steps)
        steps.append((RETURN, answer, None, None))

    def skip(index: int, label: str | None) -> int:
        return 0 if label is None else at[label] - index - 1

    return b"".join(
        _line(code, value, yes=skip(i, yes), no=skip(i, no)) for i, (code, value, yes, no) in enumerate(steps)
    )


def _line(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)
