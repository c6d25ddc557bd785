"""Fake products in processes of their own that have their libraries already: forked from one that has loaded them.

`python -m tests.ui.fork_server` takes a line of flags for `tests.ui.serve_fake` and forks; the child prints one line,
its process id and its address. Loading takes 1.5 s of processor, as long as most tests of a page take for all the rest.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.timeouts import START_S

ROOT = Path(__file__).resolve().parents[2]
END_S = 10


class Nursery:
    """`async with nursery.child("--empty") as url`; for one event loop."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process, self._asking = process, asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["Nursery"]:
        # NiceGUI behaves otherwise under pytest.
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("NICEGUI_", "PYTEST_"))}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.ui.fork_server", cwd=ROOT, env=environ, stdin=pipe, stdout=pipe
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin
            process.stdin.close()  # it ends with its input
            await asyncio.wait_for(process.wait(), END_S)

    @asynccontextmanager
    async def child(self, *flags: str) -> AsyncIterator[str]:
        """The address of a fresh fake product."""
        assert self._process.stdin
        assert self._process.stdout
        async with self._asking:
            self._process.stdin.write(f"{' '.join(flags)}\n".encode())
            said = await asyncio.wait_for(self._process.stdout.readline(), START_S)
        pid, url = said.decode().split()
        handle = os.pidfd_open(int(pid))
        try:
            yield url
            signal.pidfd_send_signal(handle, signal.SIGTERM)
            await asyncio.wait_for(_ended(handle), END_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


async def _ended(handle: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)


def main() -> None:
    from tests.ui import serve_fake

    gc.freeze()  # what is loaded is not looked through again in every child
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # ended children leave nothing
    for line in sys.stdin:
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            print(os.getpid(), end=" ")  # the address follows
            serve_fake.main(line.split())
            os._exit(0)


if __name__ == "__main__":
    main()
