"""A snapshot of an agent's folder: a list of its files by content, and the contents of the small ones, kept once each.

It lies in `~/.oma/changes/<agent>`, outside of the agent's folder, so that no repository of the agent's is touched and
none is needed. Bounded: so many files, so many bytes of contents; folders that tools fill (SKIPPED) are left out. A
file that has the same inode, size and time as in the snapshot before is not read again, unless that snapshot is so
young that the file may have changed in the same tick of the kernel's clock.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b

import msgspec

from core.domain.errors import NotFound
from core.protocol.changes_api import KEPT_FILE_BYTES
from core.runner.files.beneath import opened
from core.runner.files.reading import READ

MOST_FILES = 20_000
KEPT_BYTES = 128 * 1024 * 1024  # contents of one agent; beyond it new contents are not kept
DEEPEST = 40
TICK_NS = 20_000_000  # time stamps of files are as coarse as this
SKIPPED = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", ".mypy_cache", ".pytest_cache", ".cache"})
BLOBS = "blobs"
WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """One file in a snapshot. `hash` is empty for a file that is too large to be read."""

    size: int
    mtime_ns: int
    inode: int
    mode: int
    hash: str = ""

    def same_as(self, other: "Stamp") -> bool:
        """True if the contents are the same; of large files, if nothing tells them apart."""
        if self.hash or other.hash:
            return self.hash == other.hash
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a folder at one time."""

    at_ns: int
    files: dict[str, Stamp] = {}
    cut: bool = False


NOTHING = Manifest(at_ns=0)


def take(root: int, *, before: Manifest = NOTHING, keep_in: int | None = None) -> Manifest:
    """Return the files below `root` now. `keep_in` is the folder in which contents are kept, None: in none."""
    at_ns, files = time.time_ns(), dict[str, Stamp]()
    room = KEPT_BYTES - _kept_bytes(keep_in) if keep_in is not None else 0
    for path, name, folder in _walk(root):
        if len(files) >= MOST_FILES:
            return Manifest(at_ns=at_ns, files=files, cut=True)
        with suppress(OSError):
            about = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(about.st_mode):
                continue
            known = before.files.get(path)
            if known and _untouched(known, about, before.at_ns):
                files[path] = known
                continue
            files[path], written = _read(name, folder, about, keep_in, room)
            room -= written
    return Manifest(at_ns=at_ns, files=files)


def _untouched(known: Stamp, about: os.stat_result, taken_ns: int) -> bool:
    same = (known.size, known.mtime_ns, known.inode) == (about.st_size, about.st_mtime_ns, about.st_ino)
    return same and about.st_mtime_ns < taken_ns - TICK_NS


def _walk(root: int) -> Iterator[tuple[str, str, int]]:
    """(path, name, descriptor of the folder) of everything that is no folder; no link is followed."""
    for place, folders, names, handle in os.fwalk(".", dir_fd=root, follow_symlinks=False):
        base = place[2:]
        deep = base.count("/") + 1 >= DEEPEST
        folders[:] = [] if deep else sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            path = f"{base}/{name}" if base else name
            with suppress(UnicodeEncodeError):
                path.encode()
                yield path, name, handle


def _read(name: str, folder: int, about: os.stat_result, keep_in: int | None, room: int) -> tuple[Stamp, int]:
    """The stamp of a file, and how many bytes of it were written to be kept."""
    made = Stamp(about.st_size, about.st_mtime_ns, about.st_ino, about.st_mode & 0o777)
    if about.st_size > KEPT_FILE_BYTES:
        return made, 0
    data = read_small(name, folder)
    if data is None:
        return made, 0
    digest = blake2b(data, digest_size=16).hexdigest()
    written = 0
    if keep_in is not None and len(data) <= room and not _has(keep_in, digest):
        _write(keep_in, digest, data)
        written = len(data)
    return msgspec.structs.replace(made, size=len(data), hash=digest), written


def read_small(name: str, folder: int) -> bytes | None:
    """The content of a plain file, None if it is too large or none. Raises: OSError."""
    handle = os.open(name, READ | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(handle, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        data = file.read(KEPT_FILE_BYTES + 1)
        return data if data is not None and len(data) <= KEPT_FILE_BYTES else None


def kept(blobs: int, stamp: Stamp) -> bytes:
    """The content that a file had. Raises: NotFound: it was too large, there was no room, or it was tampered with."""
    if stamp.hash:
        with suppress(OSError):
            data = read_small(stamp.hash, blobs)
            if data is not None and blake2b(data, digest_size=16).hexdigest() == stamp.hash:
                return data
    raise NotFound("the content before is not kept")


def has_kept(blobs: int, stamp: Stamp) -> bool:
    return bool(stamp.hash) and _has(blobs, stamp.hash)


def sweep(blobs: int, manifests: Mapping[str, Manifest]) -> None:
    """Remove contents that no snapshot names any more."""
    named = {stamp.hash for manifest in manifests.values() for stamp in manifest.files.values()}
    for name in os.listdir(blobs):
        if name not in named:
            with suppress(OSError):
                os.unlink(name, dir_fd=blobs)


def _kept_bytes(blobs: int) -> int:
    with os.scandir(blobs) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


def _has(blobs: int, digest: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(digest, dir_fd=blobs, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _write(blobs: int, digest: str, data: bytes) -> None:
    """A content that was written in half is noticed by its hash when it is read."""
    with suppress(FileNotFoundError):
        os.unlink(f"{digest}.part", dir_fd=blobs)
    handle = os.open(f"{digest}.part", WRITE, 0o600, dir_fd=blobs)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.rename(f"{digest}.part", digest, src_dir_fd=blobs, dst_dir_fd=blobs)


def load(folder: int, name: str) -> Manifest | None:
    """A manifest that was saved as `name`, None if there is none that can be read."""
    try:
        with opened(folder, (name,), READ) as handle:
            return msgspec.msgpack.decode(os.read(handle, 16 * 1024 * 1024), type=Manifest)
    except (OSError, msgspec.DecodeError):
        return None


def save(folder: int, name: str, manifest: Manifest) -> None:
    """Raises: OSError."""
    handle = os.open(f"{name}.part", WRITE, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.msgpack.encode(manifest))
    os.rename(f"{name}.part", name, src_dir_fd=folder, dst_dir_fd=folder)
