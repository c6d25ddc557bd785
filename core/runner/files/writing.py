"""Writes a file whole or not at all, and never over something that its writer has not seen (F6).

The bytes go into a staging file outside the agent's folder. Then that file and the present one change places in one
system call, and what came out is looked at: if it is not what the writer had read, they change back. While a program
still has the replaced file open it may be writing into it, so a save waits until nobody has, at most SETTLE_S.

Two cases are not covered, because no system call tells of them. A program found the old file before the swap, and
its open() took longer than LOOK_S after it, or it kept the file open longer than SETTLE_S before it wrote: its words
are in a file that has no name any more. A program wrote before the swap and again, in place, before the swap back: the
save is refused, and the second of its writings is gone.
"""

import errno
import fcntl
import os
import secrets
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock

from core.domain.errors import Conflict, FileTooLarge
from core.protocol.files_api import Written
from core.runner.files import revision
from core.runner.files.beneath import RENAME_EXCHANGE, RENAME_NOREPLACE, rename
from core.runner.files.folder import AgentFolder, make_folders
from core.runner.files.reading import READ

SYNC_BYTES = 16 * 1024 * 1024  # larger ones are uploads, which can be sent again after a power cut
SETTLE_S, LOOK_S = 0.5, 0.01  # the longest wait for programs that have the replaced file open
SWAPS = 5  # until a program that replaces the file all the time is let alone
ANYTHING = "*"  # If-Match: the file must be there; If-None-Match: it must not
_commits = Lock()  # two saves must not both look before either has replaced


class Staged:
    """A file that is being written, in the staging folder `folder`."""

    def __init__(self, folder: int, *, limit_bytes: int) -> None:
        self.folder, self.name, self.size_bytes = folder, secrets.token_hex(12), 0
        self._limit = limit_bytes
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.handle = os.open(self.name, flags, 0o644, dir_fd=folder)

    def write(self, data: bytes) -> None:
        """Raises: OSError. FileTooLarge."""
        self.size_bytes += len(data)
        if self.size_bytes > self._limit:
            raise FileTooLarge(f"a file may have {self._limit} bytes")
        view = memoryview(data)
        while view:
            view = view[os.write(self.handle, view) :]

    def close(self) -> None:
        """Remove what has this name now: nothing, the unfinished file, or what it has replaced."""
        os.close(self.handle)
        with suppress(OSError):
            os.unlink(self.name, dir_fd=self.folder)


@contextmanager
def staging(folder: AgentFolder, *, limit_bytes: int) -> Iterator[Staged]:
    """A file to write into. If it is not put in its place it is gone in the end. Raises: OSError."""
    with folder.private("staging") as handle:
        staged = Staged(handle, limit_bytes=limit_bytes)
        try:
            yield staged
        finally:
            staged.close()


def commit(root: int, names: Sequence[str], staged: Staged, *, if_match: str = "", if_none_match: str = "") -> Written:
    """Put the staged file at `names` below `root`, with the folders on the way.

    Raises: OSError. Conflict: `file_changed`: the file is not the one that `if_match` names; `file_exists`:
    `if_none_match` was given and there is something; `not_a_file`: there is a link, a folder or a device.
    """
    if staged.size_bytes <= SYNC_BYTES:
        os.fsync(staged.handle)
    parent = make_folders(root, names[:-1])
    try:
        with _commits:
            created = _place(parent, names[-1], staged, if_match=if_match, exclusive=bool(if_none_match))
    finally:
        os.close(parent)
    return Written(revision=revision.of(staged.handle), size_bytes=staged.size_bytes, created=created)


def _place(parent: int, name: str, staged: Staged, *, if_match: str, exclusive: bool) -> bool:
    """Return True if there was nothing before."""
    before = _present(parent, name)
    if before is None:
        if if_match:
            raise Conflict("the file is gone", code="file_changed")
        _create(parent, name, staged)
        return True
    try:
        if exclusive:
            raise Conflict("there is a file of this name", code="file_exists")
        if if_match not in ("", ANYTHING) and not revision.matches(before, if_match):
            raise Conflict("the file was changed meanwhile", code="file_changed")
        os.fchmod(staged.handle, os.fstat(before).st_mode & 0o777)
        _replace(parent, name, staged, before, seen=if_match not in ("", ANYTHING))
    finally:
        os.close(before)
    return False


def _present(parent: int, name: str) -> int | None:
    """The file of this name, open; None if there is nothing. Raises: OSError. Conflict: it is no plain file."""
    try:
        about = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISREG(about.st_mode):
            raise Conflict("this is not a plain file", code="not_a_file")
        return os.open(name, READ | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        return None


def _create(parent: int, name: str, staged: Staged) -> None:
    try:
        rename(staged.folder, staged.name, parent, name, RENAME_NOREPLACE)
    except FileExistsError as error:
        raise Conflict("a file of this name came meanwhile", code="file_exists") from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        os.link(staged.name, name, src_dir_fd=staged.folder, dst_dir_fd=parent)  # as exclusive; the staged name goes


def _replace(parent: int, name: str, staged: Staged, before: int, *, seen: bool) -> None:
    """Swap, and swap back if what came out is not what went in as `before`."""
    had = revision.of(before) if seen else ""
    try:
        rename(staged.folder, staged.name, parent, name, RENAME_EXCHANGE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        os.replace(staged.name, name, src_dir_fd=staged.folder, dst_dir_fd=parent)  # no exchange on this file system
        return
    if not seen:
        return
    out = os.open(staged.name, READ | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=staged.folder)
    try:
        _settle(out)
        if os.path.sameopenfile(out, before) and revision.matches(out, had):
            return
    finally:
        os.close(out)
    _put_back(parent, name, staged)
    raise Conflict("the file was changed meanwhile", code="file_changed")


def _put_back(parent: int, name: str, staged: Staged) -> None:
    """Swap until what comes out is what went in before: if a program replaced the file meanwhile, its newest stays."""
    expected = os.fstat(staged.handle)
    for _ in range(SWAPS):
        going_in = os.stat(staged.name, dir_fd=staged.folder, follow_symlinks=False)
        rename(staged.folder, staged.name, parent, name, RENAME_EXCHANGE)
        if os.path.samestat(os.stat(staged.name, dir_fd=staged.folder, follow_symlinks=False), expected):
            return
        expected = going_in


def _settle(handle: int) -> None:
    """Wait, but not for long, until no program has the file open to write, nor is about to.

    A read lease is granted when there is no writer. It is held for one look, and has to be granted twice: an open()
    that began before the swap and is not over stops at the first, and is a writer at the second. A file system without
    leases costs one look's pause. A program that opens the file meanwhile sends us SIGURG, which does nothing, instead
    of SIGIO, which would end the runner.
    """
    quiet = False
    fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        try:
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            quiet = False
            time.sleep(LOOK_S)
        except OSError:
            time.sleep(LOOK_S)
            return
        else:
            if not quiet:
                time.sleep(LOOK_S)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            if quiet:
                return
            quiet = True
