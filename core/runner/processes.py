"""Finds the processes that a session has started, and ends them.

A Bash tool has a session and a process group of its own, so neither groups nor the CLI's own cleanup are enough. There
are two marks. Every CLI has OMA_SESSION=<id> in its environment, which its children inherit and which a program can
remove (`env -i`). And all programs of an agent's tools stay below the fork server of their CLI (tool_launcher.py), a
child subreaper: no double fork, setsid or change of name leaves that tree. The runner is a subreaper as well: it adopts
and reaps processes that lose their parent in another way.
"""

import asyncio
import contextlib
import ctypes
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import NamedTuple

MARK = "OMA_SESSION"
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 4, 36, 37
TERM_GRACE_S = 0.4  # after SIGTERM, before SIGKILL
LOOK_S = 0.03
KILL_S = 1.4  # for repeated searches after SIGKILL: a process may fork meanwhile, and dying takes time
AGAIN_S = 0.005
_LIBC = ctypes.CDLL(None, use_errno=True)
_TICKS = os.sysconf("SC_CLK_TCK")
_LIMITS = {
    resource.RLIMIT_CORE: 0,  # a core file holds the session's token
    resource.RLIMIT_NOFILE: 65_536,
    resource.RLIMIT_NPROC: 4_096,  # threads count; without a box, the user's other programs do, too
    resource.RLIMIT_FSIZE: 8 * 1024**3,
}


class Marked(NamedTuple):
    """A process of a session. `started` is in seconds of CLOCK_BOOTTIME and distinguishes it from a later one with its
    pid.
    """

    pid: int
    started: float


def become_subreaper() -> None:
    """Make this process the parent of orphans in the box, instead of init."""
    _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def is_subreaper() -> bool:
    """True if orphans come to this process. Only then is a child that it did not start an agent's program."""
    found = ctypes.c_int(0)
    _LIBC.prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    return bool(found.value)


def hide() -> None:
    """Prevent other processes of our user from inspecting this one: its memory has keys, its descriptors
    lead outside.
    """
    _LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def limit_ourselves() -> None:
    """Set our own limits, which children inherit; no limit is raised."""
    for what, most in _LIMITS.items():
        _, hard = resource.getrlimit(what)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def dying_with_us() -> list[str]:
    """Return words before a command that make the kernel kill it when our thread ends, so that no CLI outlives its
    runner.

    This uses a program, not `preexec_fn`: Python between fork and exec can deadlock with threads. In a box, everything
    ends with the runner in any case.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def marked(session: str) -> list[Marked]:
    """Return all living processes that this session started. Reads /proc for a few milliseconds: call it in
    a thread.
    """
    mark = f"{MARK}={session}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):  # it has ended, or we may not read it
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(Marked(int(entry.name), _started(entry)))
    return found


def _started(entry: Path) -> float:
    return int(_stat(entry)[19]) / _TICKS


def _stat(entry: Path) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on. Raises: OSError: it has ended."""
    return (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()


def below(roots: Iterable[int]) -> list[Marked]:
    """Return all living descendants of these processes."""
    by_parent, found, left = _living(), dict[int, Marked](), list(roots)
    while left:
        for child in by_parent.get(left.pop(), ()):
            if child.pid not in found:
                found[child.pid] = child
                left.append(child.pid)
    return list(found.values())


def children(parent: int) -> list[Marked]:
    """Return the living children of a process."""
    return _living().get(parent, [])


def _living() -> dict[int, list[Marked]]:
    """Return all living processes by their parents' pids."""
    by_parent: dict[int, list[Marked]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):  # it ended meanwhile
                fields = _stat(entry)
                if fields[0] not in "ZX":
                    one = Marked(int(entry.name), int(fields[19]) / _TICKS)
                    by_parent.setdefault(int(fields[1]), []).append(one)
    return by_parent


async def end_all(
    session: str, *, spare: int = 0, since: float = 0.0, more: Callable[[], Collection[Marked]] = tuple
) -> None:
    """End everything that the session started: SIGTERM, a grace period, SIGKILL; done within 2 s.

    `spare` is a pid that stays (the CLI); processes older than the boottime `since` are left alone (MCP servers).
    `more` finds processes of the session that may have removed its mark. With an empty session only those of `more` are
    ended.
    """

    def look() -> list[Marked]:
        every = (*(marked(session) if session else ()), *more(), *(below([spare]) if spare else ()))
        found = {process.pid: process for process in every}
        # A tick early: start times are rounded down to ticks.
        return [p for p in found.values() if p.pid != spare and p.started >= since - 1 / _TICKS]

    if await _none(look):
        return
    await _signal_all(look, signal.SIGTERM)
    deadline = time.monotonic() + TERM_GRACE_S
    while time.monotonic() < deadline:
        if await _none(look):
            return
        await asyncio.sleep(LOOK_S)
    deadline = time.monotonic() + KILL_S
    while time.monotonic() < deadline:
        if not await _signal_all(look, signal.SIGKILL) and await _none(look):
            return
        await asyncio.sleep(AGAIN_S)


async def _none(look: Callable[[], list[Marked]]) -> bool:
    """True if no process is left. It looks twice, because during its exec a process shows no environment."""
    if await asyncio.to_thread(look):
        return False
    await asyncio.sleep(LOOK_S)
    return not await asyncio.to_thread(look)


async def _signal_all(look: Callable[[], list[Marked]], number: signal.Signals) -> bool:
    processes = await asyncio.to_thread(look)
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process.pid, number)
    return bool(processes)


class Reaper:
    """Reaps dead orphans, but leaves our own children to the code that waits for them."""

    def __init__(self) -> None:
        self._met = 0

    def reap(self) -> None:
        """Reap; call it regularly. A zombie is reaped only when seen twice: by then its own waiter has had it."""
        while pid := _zombie():
            if pid != self._met:
                self._met = pid
                return
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _zombie() -> int:
    """Return the pid of a dead child that was not reaped; 0 if there is none."""
    with contextlib.suppress(ChildProcessError):
        seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return seen.si_pid if seen else 0
    return 0
