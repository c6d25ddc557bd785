"""One terminal: a shell on a pty in the agent's folder, in a tool domain of its own, and those who look at it."""

import asyncio
import contextlib
import fcntl
import os
import struct
import sys
import termios
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from core.domain.errors import TooMuch
from core.runner.processes import below, dying_with_us, end_all
from core.runner.terminals.escape_filter import EscapeFilter
from core.runner.terminals.last_screen import LastScreen
from core.runner.terminals.size import Size
from core.runner.tool_launcher import HERE, ISOLATED

# The agent can write in the home: no file there is read when the shell begins.
SHELL: Final = ("bash", "--noprofile", "--norc", "-i")
READ_BYTES: Final = 65_536
FLOOD_BYTES: Final = 16_384  # who reads as much at once pauses, so that other sessions have the loop, too
PAUSE_S: Final = 0.01
VIEWER_CHARS: Final = 262_144  # what a viewer may lag behind; beyond, it gets the screen anew
INPUT_BYTES: Final = 1_048_576  # typed or pasted, and not read by the program yet
SCREEN_S: Final = 0.05  # between two pieces for the emulator: a fifth of a core at most
END_S: Final = 2.0


class Viewer:
    """The queue of one viewer. `lagging`: it has lost output and needs the screen. `news` is set by whatever comes."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._chars = 0
        self.lagging = True
        self.news = asyncio.Event()
        self.news.set()

    def put(self, text: str) -> None:
        """Take output, unless the viewer waits for the screen anyway."""
        self.news.set()
        if self.lagging:
            return
        self._pieces.append(text)
        self._chars += len(text)
        if self._chars > VIEWER_CHARS:
            self.take()
            self.lagging = True

    def take(self) -> str:
        """Return all output since the last call."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._chars = 0
        return text


class Terminal:
    """`await Terminal.start(…)`, then `viewed`, `write`, `resize`; `ended` is set when its shell has ended."""

    def __init__(self, pty: int, process: asyncio.subprocess.Process, size: Size) -> None:
        self._pty, self._process, self.size = pty, process, size
        self._filter, self._screen = EscapeFilter(), LastScreen(*size)
        self._input = bytearray()
        self._viewers: set[Viewer] = set()
        self._loop = asyncio.get_running_loop()
        self._drawing: asyncio.TimerHandle | None = None
        self._open = True
        self.ended = asyncio.Event()
        self._last_used = time.monotonic()
        self._read_on()
        self._waiting = self._loop.create_task(self._wait())

    @classmethod
    async def start(cls, folder: Path, environment: dict[str, str], size: Size) -> Self:
        """Start a shell. Raises: OSError: there is no pty, no process or no such folder."""
        pty, program = os.openpty()
        try:
            os.set_blocking(pty, False)
            _set_size(pty, size)
            words = [sys.executable, ISOLATED, str(HERE / "fork_server.py"), "terminal", *SHELL]
            process = await asyncio.create_subprocess_exec(
                *dying_with_us(), *words, stdin=program, stdout=program, stderr=program,
                cwd=folder, env=environment, start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(pty)
            raise
        finally:
            os.close(program)
        return cls(pty, process, size)

    @property
    def idle_s(self) -> float:
        """The seconds since somebody typed, 0 while somebody looks at it."""
        return 0.0 if self._viewers else time.monotonic() - self._last_used

    @contextlib.contextmanager
    def viewed(self) -> Iterator[Viewer]:
        """Count one more viewer while the context is open, and give it a queue of output."""
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            self._last_used = time.monotonic()

    async def screen(self, viewer: Viewer) -> str:
        """Return what draws the present screen; `viewer` gets all output after it, and none of it twice."""
        while self._screen.advance():  # noqa: ASYNC110  # others run between two pieces; nothing is waited for
            await asyncio.sleep(0)
        viewer.take()
        viewer.lagging = False
        return self._screen.render()

    def write(self, data: bytes) -> None:
        """Type. Raises: TooMuch: the program has not read what was typed before."""
        if len(self._input) + len(data) > INPUT_BYTES:
            raise TooMuch("the program in the terminal does not read what is typed", code="terminal_input_full")
        self._last_used = time.monotonic()
        self._input += data
        self._write_on()

    def resize(self, size: Size) -> None:
        """Give it a size: the last viewer who says one decides, and the others follow."""
        if size != self.size and self._open:
            self.size = size
            _set_size(self._pty, size)
            self._screen.resize(*size)
            for viewer in self._viewers:
                viewer.lagging = True
                viewer.news.set()

    async def end(self) -> None:
        """End the shell and everything it has started; idempotent, within some 4 s."""
        await end_all("", more=lambda: below([self._process.pid]) if self._process.returncode is None else [])
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), END_S)
        self._close()

    async def _wait(self) -> None:
        await self._process.wait()
        if self._open:
            self._on_output()
        self._close()
        self.ended.set()
        for viewer in self._viewers:
            viewer.news.set()

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._pty)
            self._loop.remove_writer(self._pty)
            os.close(self._pty)

    def _read_on(self) -> None:
        if self._open:
            self._loop.add_reader(self._pty, self._on_output)

    def _on_output(self) -> None:
        pieces, size = [], 0
        try:
            while size < READ_BYTES and (piece := os.read(self._pty, READ_BYTES)):
                pieces.append(piece)
                size += len(piece)
        except BlockingIOError:
            pass
        except OSError:  # no program has the terminal open any more
            self._loop.remove_reader(self._pty)
        if size >= FLOOD_BYTES:
            self._loop.remove_reader(self._pty)
            self._loop.call_later(PAUSE_S, self._read_on)
        if text := self._filter.feed(b"".join(pieces)):
            self._screen.feed(text)
            self._drawing = self._drawing or self._loop.call_later(SCREEN_S, self._draw)
            for viewer in self._viewers:
                viewer.put(text)

    def _draw(self) -> None:
        self._drawing = self._loop.call_later(SCREEN_S, self._draw) if self._screen.advance() else None

    def _write_on(self) -> None:
        if not self._open:
            return
        with contextlib.suppress(BlockingIOError, OSError):
            while self._input:
                del self._input[: os.write(self._pty, self._input[:4096])]
        if self._input:
            self._loop.add_writer(self._pty, self._write_on)
        else:
            self._loop.remove_writer(self._pty)


def _set_size(pty: int, size: Size) -> None:
    fcntl.ioctl(pty, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))
