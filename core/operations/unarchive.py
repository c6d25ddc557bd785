"""Unpacks an archive of the platform, and checks one that was written. The archive may hold a hostile home.

Everything is created relative to open folders (`dir_fd`), one name at a time: no path is too long, and nothing is
written through a link. An entry that cannot be created is left out and named, and the others follow; only a disk that
is full or broken ends it.
"""

import errno
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from core.domain.errors import BadInput
from core.operations.archive import DEEPEST, ArchiveSummary, LeftOut

ENTER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
LEVELS = DEEPEST + 10  # for `homes/<user>` and the layout of older programs
PIECE_BYTES = 2**20
# With these the next entry would fail as well.
FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class _Folder(NamedTuple):
    """An open folder on the present path. Its times and mode are set when it is left, because they may lock it."""

    name: str
    fd: int
    member: tarfile.TarInfo | None


def members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the remaining members of an archive without keeping those that were read."""
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]
        yield member


def unpack(archive: tarfile.TarFile, into: Path) -> LeftOut:
    """Unpack the rest of an archive into an empty folder. Returns the entries that could not be created.

    Raises: BadInput: it is no archive of this platform. OSError: the disk takes no more.
    """
    left_out = LeftOut()
    way = [_Folder("", os.open(into, ENTER), None)]
    try:
        for member in members(archive):
            path = _inside(member.name)
            if not (member.isdir() or member.issym() or member.isreg()):
                raise BadInput(f"{member.name!r} in the archive is no file, folder or link")
            try:
                _make(archive, member, path, way)
            except (OSError, ValueError, OverflowError) as error:
                if isinstance(error, OSError) and error.errno in FATAL:
                    raise
                left_out.add(path)
    finally:
        while way:
            _leave(way.pop(), left_out)
    return left_out


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, path: PurePosixPath, way: list[_Folder]) -> None:
    if len(path.parts) > LEVELS:
        raise ValueError("too many folders in folders")
    _go(way, path.parts[:-1])
    if member.isdir():
        _enter(way, path.name, member)
    elif member.issym():
        os.symlink(member.linkname, path.name, dir_fd=way[-1].fd)
    else:
        _unpack_file(archive, member, path.name, way[-1].fd)


def _go(way: list[_Folder], parts: tuple[str, ...]) -> None:
    """Leave and enter folders until the present one is the folder of this path."""
    same = 0
    while same < len(parts) and same + 1 < len(way) and way[same + 1].name == parts[same]:
        same += 1
    while len(way) > same + 1:
        _leave(way.pop())
    for name in parts[same:]:
        _enter(way, name, None)


def _enter(way: list[_Folder], name: str, member: tarfile.TarInfo | None) -> None:
    above = way[-1].fd
    try:
        os.mkdir(name, 0o700, dir_fd=above)
    except FileExistsError:
        pass  # created for an entry below it; anything but a folder fails to open
    way.append(_Folder(name, os.open(name, ENTER, dir_fd=above), member))


def _leave(folder: _Folder, left_out: LeftOut | None = None) -> None:
    try:
        if folder.member:
            os.utime(folder.fd, (folder.member.mtime, folder.member.mtime))
            os.fchmod(folder.fd, folder.member.mode & 0o777)
    except (OSError, ValueError, OverflowError):
        if left_out:
            left_out.add(PurePosixPath(folder.name))
    finally:
        os.close(folder.fd)


def _unpack_file(archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, folder: int) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise BadInput(f"{member.name!r} in the archive has no content")
    with os.fdopen(os.open(name, MAKE, 0o600, dir_fd=folder), "wb") as out:
        shutil.copyfileobj(content, out, PIECE_BYTES)
        out.flush()
        os.fchmod(out.fileno(), member.mode & 0o777)
        os.utime(out.fileno(), (member.mtime, member.mtime))


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInput(f"{name!r} in the archive leads out of it")
    return path


def verify(archive: tarfile.TarFile, written: ArchiveSummary) -> None:
    """Read an archive to its end, as a restore would. Raises: BadInput: it differs from what was written."""
    entries = size_bytes = 0
    for member in members(archive):
        _inside(member.name)
        entries += 1
        content = archive.extractfile(member) if member.isreg() else None
        while content and (piece := content.read(PIECE_BYTES)):
            size_bytes += len(piece)
    if (entries, size_bytes) != (written.entries, written.size_bytes):
        raise BadInput(f"{entries} of {written.entries} entries can be read again")
