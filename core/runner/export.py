"""A user's agents' folders as one stream, for the archive they asked for: plain files only, no link is followed.

Each file is a line of JSON (`path`, `mtime`), then its bytes in pieces, each after a line with its length, then a line
`0`. A last line `{}` says that nothing is missing. The form has no names, links or lengths that a reader must trust.
"""

import asyncio
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from aiohttp import web

PIECE_BYTES = 64 * 1024
DEEPEST = 100  # folders in folders
PATH_CHARS = 1000  # as core.services.account_export reads it, which refuses longer lines
ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # not blocking: a FIFO would wait for a writer


async def send(request: web.Request, root: Path) -> web.StreamResponse:
    """Answer with everything under `root`; a disk that is slow holds up nobody else."""
    response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
    await response.prepare(request)
    pieces = _grouped(archive(root))
    while piece := await asyncio.to_thread(next, pieces, b""):
        await response.write(piece)
    await response.write_eof()
    return response


def archive(root: Path) -> Iterator[bytes]:
    """The stream. What cannot be read, or vanishes meanwhile, is left out."""
    with suppress(OSError):
        yield from _folder(os.open(root, ENTER), "", DEEPEST)
    yield b"{}\n"


def _folder(handle: int, path: str, deeper: int) -> Iterator[bytes]:
    """By handles all the way down: nobody can put a link into the way while we go. Closes `handle`."""
    try:
        for name in sorted(os.listdir(handle)):
            below = f"{path}{os.fsencode(name).decode('utf-8', 'replace')}"
            try:
                folder = os.open(name, ENTER, dir_fd=handle)
            except NotADirectoryError:
                yield from _file(name, handle, below)
            except OSError:
                continue  # a link (ELOOP), not readable, or gone
            else:
                yield from _folder(folder, f"{below}/", deeper - 1) if deeper else _closed(folder)
    finally:
        os.close(handle)


def _closed(handle: int) -> tuple[()]:
    os.close(handle)
    return ()


def _file(name: str, folder: int, path: str) -> Iterator[bytes]:
    try:
        handle = os.open(name, READ, dir_fd=folder)
    except OSError:
        return
    with os.fdopen(handle, "rb", buffering=0) as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            return
        yield msgspec.json.encode({"path": path[:PATH_CHARS], "mtime": int(about.st_mtime)}) + b"\n"
        left = about.st_size  # no more than it had: somebody may be writing for ever
        while left > 0 and (piece := _read(file.fileno(), min(left, PIECE_BYTES))):
            left -= len(piece)
            yield b"%d\n%b" % (len(piece), piece)
        yield b"0\n"


def _read(handle: int, size: int) -> bytes:
    try:
        return os.read(handle, size)
    except OSError:
        return b""


def _grouped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Small files together, so that each costs no hop between threads."""
    group, size = [], 0
    for piece in pieces:
        group.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(group)
            group, size = [], 0
    yield b"".join(group)
