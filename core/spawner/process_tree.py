"""How a runner ends: watched by pidfd, killed only if it is still the process we remember, with all it started."""

import asyncio
import errno
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from core.config.runtime_dir import Process, process

ROUNDS = 20  # of looking for what an unboxed runner left; a process that forks faster than this is not ours to win


async def ended(who: Process, *, within_s: float) -> bool:
    """Wait until the process has ended, at most `within_s`. Raises: OSError: we have too many files open to look."""
    if (fd := _opened(who)) is None:
        return True
    loop, exited = asyncio.get_running_loop(), asyncio.Event()
    try:
        if not who.alive():  # after opening: from here on `fd` is that process, whoever gets its number later
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
        return None  # nobody, or a thread has the number now


def kill(who: Process) -> None:
    """SIGKILL to exactly this process; in a box it is the init, and the kernel ends everything with it.

    Raises: OSError: we have too many files open to look.
    """
    if (fd := _opened(who)) is None:
        return
    try:
        if who.is_it():
            with suppress(ProcessLookupError):  # it ended just now
                signal.pidfd_send_signal(fd, signal.SIGKILL)
    finally:
        os.close(fd)


def holders(folder: Path) -> list[Process]:
    """The processes of a box whose pid nobody has noted: they have its folder in their arguments, as bubblewrap's
    outer half does, or are children of those, as its init is. What they have mounted does not always tell: only whom
    we could trace as well shows it, and without the mount point of the file system that the folder is on.
    """
    mark = os.fsencode(folder)
    named = [pid for pid in _pids() if mark in _read(pid, "cmdline") or mark in _read(pid, "mountinfo")]
    found = dict.fromkeys([*(child for pid in named for child in children(pid)), *named])
    return [who for pid in found if (who := process(pid))]


def children(pid: int) -> list[int]:
    """The living children of a process."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, tasks.read_text().split())
    return found


def sweep(home: Path, uid: int | None = None) -> None:
    """SIGKILL to everything that an unboxed runner of this home left: no other process has this HOME, or this user id.

    Shells of the CLI are sessions of their own, and what outlived its runner has another parent, so neither groups
    nor parents lead to them.
    """
    if uid is not None:
        # The kernel's own "all of this user": also what is being forked just now, whatever it looks like.
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
    except OSError:  # ended, or somebody else's
        return b""
