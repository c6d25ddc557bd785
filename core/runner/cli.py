"""One CLI process: started, written to, read line by line as it speaks, and certainly ended.

Reading is by protocol callbacks: what the CLI prints is heard in the same step of the loop in which it arrives.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from core.runner.line_reader import LineReader
from core.runner.processes import dying_with_us

log = logging.getLogger("oma.cli")

Json = dict[str, Any]
LAST_WORDS_S = 0.2  # after its exit, for what is still in the pipe; a grandchild may hold that open for ever
EXIT_GRACE_S = 0.5  # after stdin closes, and again after SIGTERM
STDERR_LINES = 20
STDERR_BYTES = 64 * 1024


class CliProcess(asyncio.SubprocessProtocol):
    """`heard` gets every JSON object of its stdout, `gone` is called once after the last of them."""

    def __init__(self) -> None:
        self.heard: Callable[[Json], None] = lambda _: None
        self.gone: Callable[[], None] = lambda: None
        self._lines = LineReader()
        self._errors = LineReader(STDERR_BYTES)
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._process: asyncio.SubprocessTransport | None = None
        self._exited = self._ended = False
        self.over = asyncio.Event()

    @classmethod
    async def start(cls, argv: list[str], *, env: dict[str, str], cwd: Path) -> Self:
        """Raises: OSError: there is no such program or folder."""
        if not os.access(argv[0], os.X_OK):
            raise FileNotFoundError(f"{argv[0]} cannot be run")
        _, cli = await asyncio.get_running_loop().subprocess_exec(
            cls, *dying_with_us(), *argv, env=env, cwd=cwd, start_new_session=True
        )
        return cli

    @property
    def pid(self) -> int:
        return self._process.get_pid() or 0 if self._process else 0

    @property
    def dropped(self) -> int:
        """Lines that were too long to be read."""
        return self._lines.dropped

    @property
    def stderr_tail(self) -> str:
        """The end of its stderr."""
        return "\n".join(self._stderr)

    def write(self, line: bytes) -> None:
        """To its stdin, at once; a dead CLI takes it silently, its death is told by `gone`."""
        stdin = self._process.get_pipe_transport(0) if self._process else None
        if isinstance(stdin, asyncio.WriteTransport) and not stdin.is_closing():
            stdin.write(line)

    async def close(self) -> None:
        """stdin ends, then SIGTERM, then SIGKILL; returns when it is gone, within some 1.5 s."""
        if self._process is None:
            return
        if stdin := self._process.get_pipe_transport(0):
            stdin.close()
        for end in (self.terminate, self.kill):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), EXIT_GRACE_S)
                break
            end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), EXIT_GRACE_S)
        self._process.close()

    def terminate(self) -> None:
        """SIGTERM, if it lives."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, if it lives."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and not self._exited:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    # --- called by the loop ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101  # by subprocess_exec
        self._process = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._stderr.extend(line.decode(errors="replace")[:500] for line in self._errors.feed(data))
            return
        for line in self._lines.feed(data):
            said = parse(line)
            if said is not None:
                self.heard(said)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self._ended = True
            self._finish_if(self._exited)

    def process_exited(self) -> None:
        self._exited = True
        asyncio.get_running_loop().call_later(LAST_WORDS_S, self._finish_if, True)
        self._finish_if(self._ended)

    def _finish_if(self, done: bool) -> None:
        if done and not self.over.is_set():
            self.over.set()
            self.gone()


def parse(line: bytes) -> Json | None:
    """The object in a line. Bytes that are no UTF-8 and half characters are replaced; what is no object is None."""
    if not line.startswith(b"{"):
        return None
    try:
        said = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = _mended(line)
    return said if isinstance(said, dict) else None


def _mended(line: bytes) -> object:
    try:
        loose = json.loads(line.decode(errors="replace"))
        return msgspec.json.decode(json.dumps(loose, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):
        log.info("a line of the CLI is no JSON: %r", line[:100])
        return None
