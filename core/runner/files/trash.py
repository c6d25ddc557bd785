"""The trash of an agent, from which deleted files can be restored; the oldest are removed when it is full."""

import os
import re
import secrets
import stat
import time
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from core.domain.errors import NotFound
from core.runner.files.beneath import RENAME_NOREPLACE, opened, rename
from core.runner.files.folder import PLAIN, AgentFolder, make_folders, remove
from core.runner.files.paths import parts_of

KEPT = 200  # things
KEPT_S = 7 * 24 * 3600.0
KEPT_BYTES = 512 * 1024 * 1024
COUNTED = 20_000  # entries of a deleted folder that are looked at; a larger one counts as too large to keep
NAME = re.compile(r"\d{13}-[0-9a-f]{12}")
THING, ABOUT = "thing", "about.json"
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class About(msgspec.Struct, frozen=True, kw_only=True):
    """The origin of a deleted entry, and its size."""

    path: str
    size_bytes: int


def throw_away(folder: AgentFolder, names: Sequence[str], *, for_good: bool = False) -> str:
    """Move what is at `names` into the trash, and return its name there. Links are moved, not followed.

    With `for_good`, and what is larger than the whole trash, is removed at once; then the name is empty.
    Raises: OSError.
    """
    with folder.root() as root, opened(root, names[:-1]) as parent, folder.private("trash") as trash:
        about = os.stat(names[-1], dir_fd=parent, follow_symlinks=False)
        size = 0 if for_good else _size(parent, names[-1], about)
        name = f"{int(time.time() * 1000):013}-{secrets.token_hex(6)}"
        os.mkdir(name, 0o700, dir_fd=trash)
        with opened(trash, (name,)) as place:
            rename(parent, names[-1], place, THING, RENAME_NOREPLACE)
            if for_good or size > KEPT_BYTES:
                remove(trash, name)
                return ""
            handle = os.open(ABOUT, WRITE, 0o600, dir_fd=place)
            try:
                os.write(handle, msgspec.json.encode(About(path="/".join(names), size_bytes=size)))
            finally:
                os.close(handle)
        _prune(trash)
        return name


def restore(folder: AgentFolder, name: str) -> str:
    """Put a deleted thing back to where it was, and return that path.

    Raises: NotFound: it is not in the trash any more. OSError: EEXIST: something else has its name now.
    """
    if not NAME.fullmatch(name):
        raise NotFound("there is no such thing in the trash")
    with folder.private("trash") as trash:
        about = _about(trash, name)
        names = parts_of(about.path) if about else ()
        if not names:
            raise NotFound("there is no such thing in the trash")
        with folder.root(make=True) as root, opened(trash, (name,)) as place:
            parent = make_folders(root, names[:-1])
            try:
                rename(place, THING, parent, names[-1], RENAME_NOREPLACE)
            finally:
                os.close(parent)
        remove(trash, name)
        return "/".join(names)


def _prune(trash: int) -> None:
    """Remove what is too old, and the oldest while there is too much."""
    names = sorted(filter(NAME.fullmatch, os.listdir(trash)), reverse=True)
    size, oldest = 0, int((time.time() - KEPT_S) * 1000)
    for at, name in enumerate(names):
        about = _about(trash, name)
        size += about.size_bytes if about else 0
        if at >= KEPT or about is None or size > KEPT_BYTES or int(name[:13]) < oldest:
            with suppress(OSError):
                remove(trash, name)


def _about(trash: int, name: str) -> About | None:
    try:
        place = os.open(name, PLAIN, dir_fd=trash)
    except OSError:
        return None
    try:
        handle = os.open(ABOUT, READ, dir_fd=place)
        try:
            return msgspec.json.decode(os.read(handle, 16_384), type=About)
        finally:
            os.close(handle)
    except (OSError, msgspec.DecodeError):
        return None
    finally:
        os.close(place)


def _size(parent: int, name: str, about: os.stat_result) -> int:
    """Bytes on the disk; more than the trash takes if there is too much to look at."""
    if not stat.S_ISDIR(about.st_mode):
        return about.st_blocks * 512
    size, seen = 0, 0
    for depth, (_, folders, files, at) in enumerate(os.fwalk(name, dir_fd=parent, follow_symlinks=False)):
        seen += len(folders) + len(files)
        if seen > COUNTED or depth > COUNTED:
            return KEPT_BYTES + 1
        for file in files:
            with suppress(OSError):
                size += os.stat(file, dir_fd=at, follow_symlinks=False).st_blocks * 512
    return size
