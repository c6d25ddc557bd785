"""Ends a runner with everything it started: watched by pidfd, and killed only if it is still the same process."""

import asyncio
import errno
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from core.config.runtime_dir import Process, process

ROUNDS = 20  # of searching for children of an unboxed runner; a process that forks faster than this escapes


async def ended(who: Process, *, within_s: float) -> bool:
    """Wait until the process has ended, at most `within_s`. Returns True if it has. Raises: OSError: too many open
    files.
    """
    if (fd := _opened(who)) is None:
        return True
    loop, exited = asyncio.get_running_loop(), asyncio.Event()
    try:
        if not who.alive():  # after opening: `fd` stays that process, even if its number is reused
            return True
        loop.add_reader(fd, exited.set)
        async with asyncio.timeout(within_s):
            await exited.wait()
    except TimeoutError:
        return not who.alive()
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return True


def _opened(who: Process) -> int | None:
    try:
        return os.pidfd_open(who.pid)
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            raise
        return None  # the process has ended, or a thread has its number now


def kill(who: Process) -> None:
    """Send SIGKILL to exactly this process. In a box it is the init, and the kernel ends everything with it.

    Raises: OSError: too many open files.
    """
    if (fd := _opened(who)) is None:
        return
    try:
        if who.is_it():
            with suppress(ProcessLookupError):  # it has just ended
                signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)


def holders(folder: Path) -> list[Process]:
    """Return the processes of a box whose pid was not saved.

    They have the box's folder in their arguments, as bubblewrap's outer half does, or are children of such a process,
    as the init is. Mounts alone are not enough: they are readable only for processes that we could trace, and they do
    not show the mount point of the folder's file system.
    """
    mark = os.fsencode(folder)
    named = [pid for pid in _pids() if mark in _read(pid, "cmdline") or mark in _read(pid, "mountinfo")]
    found = dict.fromkeys([*(child for pid in named for child in children(pid)), *named])
    return [who for pid in found if (who := process(pid))]


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, tasks.read_text().split())
    return found


def sweep(home: Path, uid: int | None = None) -> None:
    """Send SIGKILL to everything that an unboxed runner of this home left: only those processes have this HOME or user
    id.

    The CLI's shells are sessions of their own, and orphans have another parent, so neither process groups nor parents
    lead to them.
    """
    if uid is not None:
        # The kernel's own "all processes of this user" includes those that are being forked.
        everything = ["/bin/sh", "-c", "kill -s KILL -- -1"]
        subprocess.run(everything, user=uid, group=uid, extra_groups=[], env={}, check=False, stderr=subprocess.DEVNULL)
    mark = f"HOME={home}".encode()
    for _ in range(ROUNDS):
        left = [pid for pid in _pids() if mark in _environment(pid)]
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _pids() -> list[int]:
    return [int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    return _read(pid, "environ").split(b"\0")


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended, or belongs to another user
        return b""
