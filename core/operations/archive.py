"""Users' folders into a tar archive and out of it again; on both ways the folders, and the archive, are hostile.

In: nothing is opened through a link, only plain files, folders and links are taken, and what changes or vanishes
meanwhile is no error. Out: into an empty folder, links last, so that no member is ever written through one.
"""

import io
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from core.domain.errors import BadInput

HOLLOW_BYTES = 2**30  # a larger file that is nearly all holes is left out
TOP = PurePosixPath()
DEEPEST = 200  # folders in folders; each costs an open file while one is in it
READ_ONLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class ArchiveSummary:
    """What went into the archive; `left_out` could not be read."""

    files: int = 0
    size_bytes: int = 0
    left_out: list[str] = field(default_factory=list)


class Packer:
    """Writes into an open archive and counts."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.taken = ArchiveSummary()

    def add_bytes(self, name: str, content: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o600
        self._archive.addfile(info, io.BytesIO(content))

    def add(self, name: str, *, folder: int, inside: PurePosixPath = TOP, depth: int = 0) -> None:
        """The entry `name` of the open folder, and all below it, under the path `inside`/`name`."""
        path = inside / name
        try:
            self._add(path, name, folder, depth)
        except FileNotFoundError:
            return  # gone while we looked
        except _Unreadable:
            self.taken.left_out.append(str(path))

    def _add(self, path: PurePosixPath, name: str, folder: int, depth: int) -> None:
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
            self._archive.addfile(info)

    def _add_folder(self, path: PurePosixPath, folder: int, depth: int) -> None:
        self._archive.addfile(_info(path, os.fstat(folder), tarfile.DIRTYPE))
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
        self._archive.addfile(info, _Exactly(file, found.st_size))
        self.taken.files += 1
        self.taken.size_bytes += info.size


class _Exactly(io.RawIOBase):
    """As many bytes as the file had when it was opened, whatever happens to it: zeros for what was cut off."""

    def __init__(self, file: int, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1, /) -> bytes:
        wanted = min(size, self._left) if size >= 0 else self._left
        self._left -= wanted
        found = b""
        while len(found) < wanted:
            try:
                piece = os.read(self._file, wanted - len(found))
            except OSError:  # a bad block, a file system that went away: the archive's form must hold all the same
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
    except OSError as error:  # no right to it, or another kind of thing by now
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


def unpack(archive: tarfile.TarFile, into: Path) -> None:
    """All that is left of an archive, into an empty folder. Raises: BadInput: it is no archive of ours. OSError."""
    folders: list[tuple[Path, tarfile.TarInfo]] = []
    links: list[tuple[Path, str]] = []
    for member in archive:
        path = into / _inside(member.name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if member.isdir():
            path.mkdir(mode=0o700, exist_ok=True)
            folders.append((path, member))
        elif member.issym():
            links.append((path, member.linkname))
        elif member.isreg():
            _unpack_file(archive, member, path)
        else:
            raise BadInput(f"{member.name!r} in the archive is no file, folder or link")
    for path, target in links:
        path.symlink_to(target)
    for path, member in reversed(folders):  # the deepest first: afterwards a folder may be locked
        os.utime(path, (member.mtime, member.mtime))
        path.chmod(member.mode & 0o777)


def _unpack_file(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = archive.extractfile(member)
    if content is None:
        raise BadInput(f"{member.name!r} in the archive has no content")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o600), "wb") as out:
        shutil.copyfileobj(content, out, 2**20)
        os.fchmod(out.fileno(), member.mode & 0o777)
    os.utime(path, (member.mtime, member.mtime))


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BadInput(f"{name!r} in the archive leads out of it")
    return path
