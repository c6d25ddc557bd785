"""The attempts of an agent's program against its CLI, its runner and another agent's programs, each by its name."""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
CALLS = {  # process_vm_readv, process_vm_writev, kcmp, pidfd_getfd, tgkill, rt_sigqueueinfo
    "x86_64": (310, 311, 312, 438, 234, 129),
    "aarch64": (270, 271, 272, 438, 131, 138),
}[os.uname().machine]
VM_READ, VM_WRITE, KCMP, GETFD, TGKILL, SIGQUEUE = CALLS
WAIT_S = 60.0


class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]


def call(number: int, *words: object) -> None:
    if LIBC.syscall(number, *words) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def opened(name: str, flags: int) -> Callable[[int], None]:
    def attempt(pid: int) -> None:
        os.close(os.open(f"/proc/{pid}/{name}", flags))

    return attempt


def read(name: str) -> Callable[[int], None]:
    def attempt(pid: int) -> None:
        if not Path(f"/proc/{pid}/{name}").read_bytes():
            raise PermissionError("nothing to be read")

    return attempt


def listed(name: str) -> Callable[[int], None]:
    return lambda pid: [os.readlink(f"/proc/{pid}/{name}/{fd}") for fd in os.listdir(f"/proc/{pid}/{name}")] and None


def ptrace(request: int) -> Callable[[int], None]:
    def attempt(pid: int) -> None:
        if LIBC.ptrace(request, pid, None, None) < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    return attempt


def moved(number: int) -> Callable[[int], None]:
    def attempt(pid: int) -> None:
        here = ctypes.create_string_buffer(16)
        vector = Vector(ctypes.addressof(here), 16)
        address = 0x400000 if number == VM_READ else 0  # the CLI's own ELF header; writing to nothing proves enough
        call(number, pid, ctypes.byref(vector), 1, ctypes.byref(Vector(address, 16)), 1, 0)

    return attempt


def taken(fd: int) -> Callable[[int], None]:
    return lambda pid: call(GETFD, os.pidfd_open(pid), fd, 0)


def sent(number: int) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


ATTEMPTS: dict[str, Callable[[int], None]] = {
    **{f"reads fd {fd} again": opened(f"fd/{fd}", os.O_RDONLY | os.O_NONBLOCK) for fd in range(3)},
    **{f"writes fd {fd} again": opened(f"fd/{fd}", os.O_WRONLY | os.O_NONBLOCK) for fd in range(3)},
    "fds of its first thread": lambda pid: opened(f"task/{pid}/fd/1", os.O_WRONLY | os.O_NONBLOCK)(pid),
    "lists its fds": listed("fd"),
    "lists its fdinfo": read("fdinfo/0"),
    "reads its memory": opened("mem", os.O_RDONLY),
    "writes its memory": opened("mem", os.O_RDWR),
    "memory of its first thread": lambda pid: opened(f"task/{pid}/mem", os.O_RDWR)(pid),
    "lists its mapped files": listed("map_files"),
    "its environment": read("environ"),
    "its auxiliary vector": read("auxv"),
    "its memory map": read("maps"),
    "its pagemap": opened("pagemap", os.O_RDONLY),
    "its io counters": read("io"),
    "its root": lambda pid: os.listdir(f"/proc/{pid}/root") and None,
    "its working directory": lambda pid: os.listdir(f"/proc/{pid}/cwd") and None,
    "ptrace attach": ptrace(PTRACE_ATTACH),
    "ptrace seize": ptrace(PTRACE_SEIZE),
    "process_vm_readv": moved(VM_READ),
    "process_vm_writev": moved(VM_WRITE),
    "kcmp": lambda pid: call(KCMP, os.getpid(), pid, 0, 0, 0),
    **{f"pidfd_getfd {fd}": taken(fd) for fd in range(3)},
    **{
        f"sends {signal.Signals(number).name}": sent(number)
        for number in (0, *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGSTOP, signal.SIGINT, signal.SIGTERM))
        if number
    },
    "sends SIGSTOP to its group": lambda pid: os.killpg(pid, signal.SIGSTOP),
    "sends SIGSTOP by pidfd": lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGSTOP),
    "sends SIGSTOP to a thread": lambda pid: call(TGKILL, pid, pid, int(signal.SIGSTOP)),
}


def outcome(attempt: Callable[[int], None], pid: int) -> str:
    try:
        attempt(pid)
    except OSError as error:
        return f"refused: {error.strerror or error}"
    return "done"


def main(targets: Path, out: Path) -> None:
    deadline = time.monotonic() + WAIT_S
    while not targets.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    found = {
        f"{name}: {what}": outcome(attempt, pid)
        for name, pid in json.loads(targets.read_text()).items()
        for what, attempt in ATTEMPTS.items()
    }
    draft = out.with_suffix(".draft")
    draft.write_text(json.dumps(found, indent=1))
    draft.rename(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
