"""Writes users' folders into a tar archive; unarchive.py unpacks it. The folders are hostile.

No link is followed, and only plain files, folders and links are archived. A file may change or vanish meanwhile.
Entries that cannot be read, or could not be restored, are left out and named.
"""

import io
import os
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath

HOLLOW_BYTES = 2**30  # a larger file that is nearly all holes is left out
TOP = PurePosixPath()
DEEPEST = 200  # folders in folders; each costs an open file while one is in it
PATH_BYTES = 16 * 1024  # of an entry's path: each header has the whole path, and a folder may hold a million entries
NAMED = 1_000  # left-out entries that are named; further ones are only counted
READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class LeftOut:
    """Entries that are missing: their number, and the paths of the first ones."""

    count: int = 0
    paths: list[str] = field(default_factory=list)

    def add(self, path: PurePosixPath) -> None:
        self.count += 1
        if len(self.paths) < NAMED:
            self.paths.append(str(path))


@dataclass(slots=True)
class ArchiveSummary:
    """The contents of a written archive. Entries in `left_out` could not be read."""

    files: int = 0
    size_bytes: int = 0
    entries: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


class Packer:
    """Writes entries into an open archive and counts them."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.taken = ArchiveSummary()

    def add_bytes(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self.taken.size_bytes += len(content)
        self._write(info, io.BytesIO(content))

    def _write(self, info: tarfile.TarInfo, content: io.IOBase | None = None) -> None:
        self._archive.addfile(info, content)
        self._archive.members.clear()  # type: ignore[attr-defined]  # it remembers every member, maybe millions
        self.taken.entries += 1

    def add(self, name: str, *, folder: int, inside: PurePosixPath = TOP, depth: int = 0) -> None:
        """Add the entry `name` of the open folder, and everything below it, under the path `inside`/`name`."""
        path = inside / name
        try:
            self._add(path, name, folder, depth)
        except FileNotFoundError:
            return  # it was deleted meanwhile
        except _Unreadable:
            self.taken.left_out.add(path)

    def _add(self, path: PurePosixPath, name: str, folder: int, depth: int) -> None:
        if len(os.fsencode(str(path))) > PATH_BYTES:
            raise _Unreadable
        with _reading():
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            if depth == DEEPEST:
                raise _Unreadable
            with _opened(name, folder, os.O_DIRECTORY) as here:
                self._add_folder(path, here, depth)
        elif stat.S_ISREG(found.st_mode):
            with _opened(name, folder) as here:
                self._add_file(path, here)
        elif stat.S_ISLNK(found.st_mode):
            info = _info(path, found, tarfile.SYMTYPE)
            with _reading():
                info.linkname = os.readlink(name, dir_fd=folder)
            self._write(info)
        else:
            raise _Unreadable  # a socket, a pipe, a device: the process behind it is not copied

    def _add_folder(self, path: PurePosixPath, folder: int, depth: int) -> None:
        self._write(_info(path, os.fstat(folder), tarfile.DIRTYPE))
        with _reading():
            names = sorted(os.listdir(folder))
        for name in names:
            self.add(name, folder=folder, inside=path, depth=depth + 1)

    def _add_file(self, path: PurePosixPath, file: int) -> None:
        found = os.fstat(file)
        if found.st_size > HOLLOW_BYTES and found.st_blocks * 512 < found.st_size // 10:
            raise _Unreadable  # it would be written out with all its holes
        info = _info(path, found, tarfile.REGTYPE)
        info.size = found.st_size
        self._write(info, _Exactly(file, found.st_size))
        self.taken.files += 1
        self.taken.size_bytes += info.size


class _Exactly(io.RawIOBase):
    """A file's content with the size that it had when it was opened. Zeros replace what is missing at the end."""

    def __init__(self, file: int, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(size, self._left) if size >= 0 else self._left
        self._left -= wanted
        found = b""
        while len(found) < wanted:
            try:
                piece = os.read(self._file, wanted - len(found))
            except OSError:  # a bad block or a lost file system: the archive has to stay well-formed
                piece = b""
            if not piece:
                return found.ljust(wanted, b"\0")
            found += piece
        return found


class _Unreadable(Exception):
    """This entry cannot be read; the others can."""


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:  # no permission, or it is another kind of entry by now
        raise _Unreadable from error


@contextmanager
def _opened(name: str, folder: int, more: int = 0) -> Iterator[int]:
    with _reading():
        fd = os.open(name, READ_ONLY | more, dir_fd=folder)
    try:
        yield fd
    finally:
        os.close(fd)


def _info(path: PurePosixPath, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(str(path))
    info.type, info.mode, info.mtime = kind, stat.S_IMODE(found.st_mode), found.st_mtime
    return info
