"""SIGINT for `make run`. make passes SIGTERM on to us, but at SIGINT it only waits until we end, which would be never.

In a terminal, Ctrl-C reaches both, because they are one process group. This module serves a supervisor or a test that
signals only make: make stops catching SIGINT after it received one, and that is visible in /proc.
"""

import asyncio
import os
import signal
from pathlib import Path

LOOK_S = 0.5  # between two reads of /proc; one costs 30 µs


async def pass_on_interrupt() -> None:
    """Run as a task: send SIGINT to this process once the make that started it received one. Ends at once
    without make.
    """
    make = os.getppid()
    if not _catches_interrupts(make) or _name(make) not in ("make", "gmake"):
        return
    while os.getppid() == make:
        if _catches_interrupts(make) is False:
            os.kill(os.getpid(), signal.SIGINT)
            return
        await asyncio.sleep(LOOK_S)


def _catches_interrupts(pid: int) -> bool | None:
    """True if the process catches SIGINT; None if that cannot be read, for example because it has ended."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) & 1 << signal.SIGINT - 1)
    return None


def _name(pid: int) -> str:
    return _read(pid, "comm").strip()


def _read(pid: int, what: str) -> str:
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except OSError:
        return ""
