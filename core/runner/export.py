"""Streams the folders of a user's agents for the export archive: plain files only, and no link is followed.

Each file is a line of JSON (`path`, `mtime`), then its bytes in pieces, each after a line with its length, then a line
`0`. Omitted entries are named in a last file, MISSING. A final line `{}` marks a complete stream. A reader need not
trust any name, link or length in it.
"""

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from aiohttp import web

PIECE_BYTES = 64 * 1024
DEEPEST = 100  # folders in folders
PATH_CHARS = 1000  # core.services.account_export refuses longer lines
ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: a FIFO would wait for a writer
MISSING = "left-out.txt"  # beside the agents' folders
NAMED = 10_000  # omitted entries that are named; further ones are only counted
HOLLOW_BYTES = 64 * 2**20  # a larger file that is nearly all holes is left out: it would take minutes to send zeros


class _Missing:
    """The entries that the archive does not have, one line each."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._count = 0

    def add(self, path: str, why: str) -> None:
        self._count += 1
        if len(self._lines) < NAMED:
            plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in path[-PATH_CHARS:])
            self._lines.append(f"{why}: {plain}\n")

    def file(self) -> Iterator[bytes]:
        """Yield MISSING in the form of the stream; nothing if no entry is missing."""
        if not self._count:
            return
        more = self._count - len(self._lines)
        text = "".join(self._lines) + (f"and {more} more\n" if more else "")
        yield _head(MISSING, time.time())
        raw = text.encode("utf-8", "replace")
        for at in range(0, len(raw), PIECE_BYTES):
            piece = raw[at : at + PIECE_BYTES]
            yield b"%d\n%b" % (len(piece), piece)
        yield b"0\n"


async def send(request: web.Request, root: Path) -> web.StreamResponse:
    """Answer with everything under `root`. The files are read in threads, so that a slow disk blocks nothing else."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    await response.prepare(request)
    pieces = _grouped(archive(root))
    while piece := await asyncio.to_thread(next, pieces, b""):
        await response.write(piece)
    await response.write_eof()
    return response


def archive(root: Path) -> Iterator[bytes]:
    """Yield the stream. Unreadable entries and special files are named at its end; entries that vanish meanwhile are
    not.
    """
    missing = _Missing()
    with suppress(OSError):
        yield from _folder(os.open(root, ENTER), "", DEEPEST, missing)
    yield from missing.file()
    yield b"{}\n"


def _folder(handle: int, path: str, deeper: int, missing: _Missing) -> Iterator[bytes]:
    """Yield a folder's files. It works on handles, so that no link can be put in the way meanwhile. Closes `handle`."""
    try:
        names = sorted(os.listdir(handle))
        if not names and path:
            missing.add(path, "empty folder")
        for name in names:
            below = f"{path}{os.fsencode(name).decode('utf-8', 'replace')}"
            try:
                folder = os.open(name, ENTER, dir_fd=handle)
            except NotADirectoryError:
                yield from _file(name, handle, below, missing)
            except OSError as error:
                _note(name, handle, below, error, missing)
            else:
                if deeper:
                    yield from _folder(folder, f"{below}/", deeper - 1, missing)
                else:
                    os.close(folder)
                    missing.add(f"{below}/", "too deep")
    finally:
        os.close(handle)


def _note(name: str, folder: int, path: str, error: OSError, missing: _Missing) -> None:
    with suppress(FileNotFoundError):  # it was deleted meanwhile
        try:
            missing.add(f"{path} -> {os.readlink(name, dir_fd=folder)}", "link")
        except FileNotFoundError:
            raise
        except OSError:
            missing.add(path, error.strerror or "not readable")


def _file(name: str, folder: int, path: str, missing: _Missing) -> Iterator[bytes]:
    try:
        handle = os.open(name, READ, dir_fd=folder)
    except OSError as error:
        _note(name, folder, path, error, missing)
        return
    with os.fdopen(handle, "rb", buffering=0) as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            missing.add(path, "not a file")
            return
        if about.st_size > HOLLOW_BYTES and about.st_blocks * 512 < about.st_size // 10:
            missing.add(path, f"nearly empty file of {about.st_size:,} bytes")
            return
        yield _head(path, about.st_mtime)
        left = about.st_size  # no more than its size now: a process may write without end
        while left > 0 and (piece := _read(file.fileno(), min(left, PIECE_BYTES))):
            left -= len(piece)
            yield b"%d\n%b" % (len(piece), piece)
        yield b"0\n"


def _head(path: str, mtime: float) -> bytes:
    return msgspec.json.encode({"path": path[:PATH_CHARS], "mtime": int(mtime)}) + b"\n"


def _read(handle: int, size: int) -> bytes:
    try:
        return os.read(handle, size)
    except OSError:
        return b""


def _grouped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Join small pieces, so that each costs no hop between threads."""
    group, size = [], 0
    for piece in pieces:
        group.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(group)
            group, size = [], 0
    yield b"".join(group)
