"""The output of commands while they run.

The CLI lets each command write into a file of its own, and names the file once the command has run for some seconds.
What is added to the file is shown to present readers; nothing of it is stored.
"""

import asyncio
import codecs
import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from core.domain.events import ToolProgress, ToolReturned
from core.runner.turn import Turn

POLL_S = 0.25
CHUNK_BYTES = 16 * 1024  # read in one poll; of more, the end is shown and the rest is counted
FOLLOWED = 20  # commands at once
Spawn = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class CommandStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The CLI has named the file of a running command. `cli_session` is the CLI's id of the conversation."""

    tool_id: str
    task_id: str
    cli_session: str


class LiveOutput:
    """Follows the running commands of one session. `show` is called with new output."""

    def __init__(self, folder: Callable[[], Path], *, show: Callable[[ToolProgress], None], spawn: Spawn) -> None:
        """`folder` is the CLI's working folder: the CLI derives the paths of its files from its name."""
        self._folder, self._show, self._spawn = folder, show, spawn
        self._files: dict[str, _OutputFile] = {}
        self._task: asyncio.Task[None] | None = None

    def follow(self, started: CommandStarted) -> None:
        """Show the output of this command from now on; nothing if its file cannot be opened."""
        if len(self._files) >= FOLLOWED or started.tool_id in self._files:
            return
        path = output_path(self._folder(), started)
        if path is None:
            return
        with contextlib.suppress(OSError):
            self._files[started.tool_id] = _OutputFile(path)
        self.poll()
        if self._files and (self._task is None or self._task.done()):
            self._task = self._spawn(self._run(), "live output")

    def finish(self, tool_id: str) -> None:
        """Show the last output of a command that has ended."""
        if file := self._files.pop(tool_id, None):
            self._tell(tool_id, file)
            file.close()

    def clear(self) -> None:
        """Show the last output of all commands, because the CLI has ended."""
        for tool_id in list(self._files):
            self.finish(tool_id)

    def poll(self) -> None:
        """Show the output since the last poll."""
        for tool_id, file in self._files.items():
            self._tell(tool_id, file)

    async def _run(self) -> None:
        while self._files:
            await asyncio.sleep(POLL_S)
            self.poll()

    def _tell(self, tool_id: str, file: "_OutputFile") -> None:
        text, skipped = file.read()
        if text:
            self._show(ToolProgress(id=tool_id, text=text, skipped=skipped))


class _OutputFile:
    """A growing file, which the agent may replace or fill: only regular files are read, and a limited part."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises: OSError: it cannot be read, or is no regular file."""
        self._fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            os.close(self._fd)
            raise OSError(f"{path} is no regular file")
        self._at = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def read(self) -> tuple[str, int]:
        """Return (new text, number of bytes before it that were left out)."""
        try:
            size = os.fstat(self._fd).st_size
            skipped = max(0, size - self._at - CHUNK_BYTES)
            if skipped:
                self._decoder.reset()
            data = os.pread(self._fd, CHUNK_BYTES, self._at + skipped)
        except OSError:
            return "", 0
        self._at += skipped + len(data)
        return self._decoder.decode(data), skipped

    def close(self) -> None:
        os.close(self._fd)


def output_path(folder: Path, started: CommandStarted) -> Path | None:
    """Return the path of this command's output; None if a name in it is not one of the CLI's."""
    if not (_NAME.fullmatch(started.cli_session) and _NAME.fullmatch(started.task_id)):
        return None
    project = re.sub(r"[^A-Za-z0-9]", "-", os.path.realpath(folder))
    base = Path(tempfile.gettempdir()) / f"claude-{os.getuid()}" / project
    return base / started.cli_session / "tasks" / f"{started.task_id}.output"


def with_output(returned: ToolReturned, turn: Turn | None, *, printed: tuple[str, int]) -> ToolReturned:
    """Add the end of its output and its whole size to the result of a stopped command: the CLI omits them."""
    if returned.background:
        return returned
    if not returned.ok and turn and turn.stopping:
        returned = structs.replace(returned, stopped=True)  # a killed command did not fail by itself
    if not returned.stopped or returned.content:
        return returned
    text, size = printed
    return structs.replace(returned, content=text, truncated=size > len(text), full_size=size)
