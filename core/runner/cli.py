"""A CLI process: it is started, written to, read line by line, and ended in every case.

Reading is by protocol callbacks, so that a line is handled in the same step of the event loop in which it arrives. Its
standard streams are socket pairs: any process of its user could open a pipe again through /proc/PID/fd, read our
messages and answer in our place; a socket cannot be opened so.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import msgspec

from core.runner.line_reader import LineReader
from core.runner.processes import dying_with_us
from core.runner.tool_launcher import ToolLauncher

log = logging.getLogger("oma.cli")

Json = dict[str, Any]
LAST_WORDS_S = 0.2  # after its exit, for output still in the stream; a grandchild may keep that open without end
EXIT_GRACE_S = 0.5  # after stdin closes, and again after SIGTERM
STDERR_LINES = 20
STDERR_BYTES = 64 * 1024


class CliProcess(asyncio.SubprocessProtocol):
    """A CLI process. `on_message` is called with every JSON object of its stdout, `on_exit` once after the last."""

    def __init__(self) -> None:
        self.on_message: Callable[[Json], None] = lambda _: None
        self.on_exit: Callable[[], None] = lambda: None
        self._lines = LineReader()
        self._errors = LineReader(STDERR_BYTES)
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        self._process: asyncio.SubprocessTransport | None = None
        self._streams: list[asyncio.Transport] = []  # our ends of stdin, stdout, stderr
        self.tools: ToolLauncher | None = None
        self._exited = self._ended = False
        self.over = asyncio.Event()

    @classmethod
    async def start(cls, argv: list[str], *, env: dict[str, str], cwd: Path, tools: ToolLauncher | None = None) -> Self:
        """Start the program. `tools` end with it, also if it does not start. Raises: OSError: no such program or
        folder.
        """
        loop, ours, theirs = asyncio.get_running_loop(), list[socket.socket](), list[socket.socket]()
        try:
            if not os.access(argv[0], os.X_OK):
                raise FileNotFoundError(f"{argv[0]} cannot be run")
            for _ in range(3):
                near, far = socket.socketpair()
                ours.append(near)
                theirs.append(far)
            stdin, stdout, stderr = (far.fileno() for far in theirs)
            _, cli = await loop.subprocess_exec(
                cls, *dying_with_us(), *argv, env=env, cwd=cwd, start_new_session=True,
                stdin=stdin, stdout=stdout, stderr=stderr,
            )  # fmt: skip
        except BaseException:
            for near in ours:
                near.close()
            if tools:
                await tools.close()
            raise
        finally:
            for far in theirs:
                far.close()
        if tools:
            tools.belongs(cli.pid)
        cli.tools = tools
        streams = [await loop.create_connection(partial(_Stream, cli, fd), sock=near) for fd, near in enumerate(ours)]
        cli._streams = [transport for transport, _ in streams]
        return cli

    @property
    def pid(self) -> int:
        return self._process.get_pid() or 0 if self._process else 0

    @property
    def dropped(self) -> int:
        """The number of lines that were too long to be read."""
        return self._lines.dropped

    @property
    def stderr_tail(self) -> str:
        """The last lines of its stderr."""
        return "\n".join(self._stderr)

    def write(self, line: bytes) -> None:
        """Write to its stdin, at once. A dead CLI ignores it; `on_exit` reports its death."""
        if self._streams and not self._streams[0].is_closing():
            self._streams[0].write(line)

    async def close(self) -> None:
        """Close stdin, then send SIGTERM, then SIGKILL. Returns when the process has ended, within about 1.5 s."""
        if self._process is None:
            return
        for stdin in self._streams[:1]:
            stdin.close()
        for end in (self.terminate, self.kill):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), EXIT_GRACE_S)
                break
            end()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.over.wait(), EXIT_GRACE_S)
        self._process.close()
        for stream in self._streams:
            stream.close()
        if self.tools:
            await self.tools.close()

    def terminate(self) -> None:
        """Send SIGTERM if it is alive."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL if it is alive."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and not self._exited:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    # --- called by the loop ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101  # by subprocess_exec
        self._process = transport

    def stream_data_received(self, fd: int, data: bytes) -> None:
        """Handle bytes of its stdout (1) or stderr (2)."""
        if fd == 2:
            self._stderr.extend(line.decode(errors="replace")[:500] for line in self._errors.feed(data))
            return
        for line in self._lines.feed(data):
            said = parse(line)
            if said is not None:
                self.on_message(said)

    def stream_ended(self, fd: int) -> None:
        """Handle the end of one of its streams."""
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
            self.on_exit()


class _Stream(asyncio.Protocol):
    """Our end of one of the CLI's standard streams."""

    def __init__(self, cli: CliProcess, fd: int) -> None:
        self._cli, self._fd = cli, fd

    def data_received(self, data: bytes) -> None:
        if self._fd:
            self._cli.stream_data_received(self._fd, data)

    def connection_lost(self, _: Exception | None) -> None:
        self._cli.stream_ended(self._fd)


def parse(line: bytes) -> Json | None:
    """Return the JSON object in a line; None if it is none. Invalid UTF-8 and half characters are replaced."""
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
