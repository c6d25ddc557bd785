"""The second-best box, for machines without user namespaces: Landlock and a filter on system calls, then a command.

`python -I -S landlock.py RULES -- COMMAND…`: RULES is a JSON object of `LandlockRules`. It runs before our packages can
be imported, so it uses the standard library only. It gives no network and no process list of its own, and it does not
protect sockets in files that the platform's user may open. Without ids of users it also does not prevent changes of the
mode and times of files that belong to that user. That is why it counts as reduced isolation.
"""

import ctypes
import json
import os
import sys
from contextlib import suppress
from typing import NamedTuple

LIBC = ctypes.CDLL(None, use_errno=True)
CREATE, ADD, RESTRICT = 444, 445, 446  # the same numbers on every architecture
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, FILTER = 22, 38, 2
PR_CAPBSET_DROP, CAPABILITY_VERSION, CAPABILITIES = 24, 0x20080522, 64
VERSION, PATH_BENEATH = 1, 1
OLDEST = 3  # of the kernel's Landlock: before it, files could be truncated against the rules

# Rights on files by the kernel's bits, and the versions since which they can be restricted.
EXECUTE, WRITE, READ, LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
TRUNCATE, DEVICE = 1 << 14, 1 << 15
ALL = {3: (1 << 15) - 1, 5: (1 << 16) - 1}
ON_A_FILE = EXECUTE | WRITE | READ | TRUNCATE | DEVICE
SCOPES = {6: 0b11}  # abstract sockets and signals of processes outside the domain


class LandlockRules(NamedTuple):
    """Paths that may be read and executed, folders that may only be listed, and paths with full access."""

    read: list[str]
    names: list[str]
    write: list[str]
    filter: str = ""  # the program of seccomp.py, in hexadecimal digits
    temporary: str = ""  # a folder that is created if it does not exist


class RulesetAttr(ctypes.Structure):
    _fields_ = [("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class SockFprog(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_void_p)]


def abi() -> int:
    """Return the version of the kernel's Landlock; 0 if it has none or it is switched off."""
    return max(0, int(LIBC.syscall(CREATE, None, 0, VERSION)))


def enter(rules: LandlockRules) -> None:
    """Restrict this process and all that it will start, for good. Raises: OSError."""
    version = _call(CREATE, None, 0, VERSION)
    if version < OLDEST:
        raise OSError(f"Landlock is too old here: version {version}")
    handled = max(bits for since, bits in ALL.items() if since <= version)
    scoped = max((bits for since, bits in SCOPES.items() if since <= version), default=0)
    attributes = RulesetAttr(handled, 0, scoped)
    ruleset = _call(CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes) if scoped else 8, 0)
    for path in rules.read:
        _allow(ruleset, path, EXECUTE | READ | LIST)
    for path in rules.names:
        _allow(ruleset, path, LIST)
    for path in rules.write:
        _allow(ruleset, path, handled)
    _check(LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _drop_capabilities()
    _call(RESTRICT, ruleset, 0)
    os.close(ruleset)
    if lines := bytes.fromhex(rules.filter):
        content = ctypes.create_string_buffer(lines, len(lines))
        program = SockFprog(len(lines) // 8, ctypes.addressof(content))
        _check(LIBC.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0))


def _drop_capabilities() -> None:
    """Drop all capabilities of root: with CAP_PERFMON it could read every environment, in spite of Landlock."""
    for number in range(CAPABILITIES):
        LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)  # fails for an ordinary user, who has none
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    _check(LIBC.capset(header, none))


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not on this machine
        return
    try:
        beneath = PathBeneathAttr(rights if os.path.isdir(path) else rights & ON_A_FILE, fd)
        _call(ADD, ruleset, PATH_BENEATH, ctypes.byref(beneath), 0)
    finally:
        os.close(fd)


def _call(number: int, *words: object) -> int:
    return _check(LIBC.syscall(number, *words))


def _check(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    rules = LandlockRules(**json.loads(sys.argv[1]))
    enter(rules)
    with suppress(OSError):  # only inside the domain: in the home there may be a link that leads out
        os.makedirs(rules.temporary, 0o700, exist_ok=True)
    os.execv(sys.argv[3], sys.argv[3:])  # noqa: S606  # no shell is meant
