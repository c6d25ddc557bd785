"""Counts how much disk a home uses, in a process of its own that runs this file as a program.

A home is not a volume, so no write is stopped. Instead a check runs often: it is cheap as long as the whole file system
has not grown by the user's remaining space, and counts the home when it has. A box that is over and still grows is
stopped (core.fleet).
"""

import asyncio
import os
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from glob import glob
from itertools import chain
from pathlib import Path
from typing import NamedTuple

INSIDE = "/home/agent"  # box.HOME; as a program, this file can import the standard library only
DEEPEST = 500  # nested folders; each costs an open file, and a home with more counts as over
LOOK = 0o500
COUNT_S = 30.0  # enough for a cold disk full of small files; a home that takes longer counts as over
RECOUNT_S = 60.0  # others may delete as much as this home writes, so that the sum stays the same
BLOCK_BYTES = 512  # of st_blocks, whatever the file system


class Used(NamedTuple):
    """Bytes on the disk (without holes), and the number of files, folders and links."""

    bytes: int = 0
    files: int = 0


SLACK = Used(4 * 1024**2, 100)  # the log that a conversation writes while its agent deletes files


class Counted(NamedTuple):
    """A count of a home, of its file system at that moment, the time, and the mark above which the box is stopped."""

    home: Used
    system: Used
    at: float
    mark: Used = Used()


class DiskQuota:
    """The quota of every home; 0 means no limit. A home is asked about by one caller at a time."""

    def __init__(self, most: Used) -> None:
        self._most = most
        self._counted: dict[Path, Counted] = {}

    async def exceeded(self, home: Path) -> bool:
        """True if the home is over a limit and has grown, or is over twice the limit. A home that shrinks is left
        alone.
        """
        before = self._counted.get(home)
        if not any(self._most) or (before and self._surely_within(before, home)):
            return False
        try:
            now = await counted(home, self._most)
        except OSError:  # it has just been deleted
            self.forget(home)
            return False
        mark = Used(*(used + slack for used, slack in zip(now.home, SLACK, strict=True)))
        over = bool(before) and any(map(_over, now.home, self._most, before.mark if before else mark))
        if before and not over:  # the lowest since then: growth in small steps is growth, too
            mark = Used(*map(min, before.mark, mark))
        self._counted[home] = now._replace(mark=mark)
        return over

    def forget(self, home: Path) -> None:
        self._counted.pop(home, None)

    def _surely_within(self, before: Counted, home: Path) -> bool:
        """True if the home is within its limits even if all growth of the file system were its own."""
        with suppress(OSError):
            grown = [now - then for now, then in zip(system(home), before.system, strict=True)]
            return time.monotonic() - before.at < RECOUNT_S and all(
                not most or used + max(0, more) <= most
                for most, used, more in zip(self._most, before.home, grown, strict=True)
            )
        return False


def _over(used: int, most: int, mark: int) -> bool:
    return bool(most) and used > most and (used > mark or used > 2 * most)


def system(home: Path) -> Used:
    """Return the used space of the file system of a home. Raises: OSError."""
    found = os.statvfs(home)
    return Used((found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree)


async def counted(home: Path, most: Used) -> Counted:
    """Count a home now. Raises: OSError: it does not exist, or no process can be started."""
    before, at = system(home), time.monotonic()
    # Count to twice the limit only: ten million files need not be counted to the end.
    words = [sys.executable, "-I", "-S", __file__, str(home), *(str(2 * bound) for bound in most)]
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        start_new_session=True,  # Ctrl-C must not reach this process
    )
    try:
        async with asyncio.timeout(COUNT_S):
            said, _ = await process.communicate()
        if process.returncode == 0:
            return Counted(Used(*map(int, said.split())), before, at)
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Counted(Used(sys.maxsize, sys.maxsize), before, at)  # a home that prevents counting counts as over


def used(home: str, most: Used) -> Used:
    """Count a home, and stop above `most`. Links are not followed; a file with several names counts once.

    Raises: OSError: it cannot be counted.
    """
    total_bytes = total_files = 0
    seen: set[int] = set()
    for found in chain(_deleted(home), _named(home)):
        if found.st_nlink != 1 and not stat.S_ISDIR(found.st_mode):
            if found.st_ino in seen:
                continue
            seen.add(found.st_ino)
        total_bytes += found.st_blocks * BLOCK_BYTES
        total_files += 1
        if (most.bytes and total_bytes > most.bytes) or (most.files and total_files > most.files):
            break
    return Used(total_bytes, total_files)


def _named(home: str) -> Iterator[os.stat_result]:
    """Yield all entries with a name. Works on descriptors without following links: folders may be replaced
    meanwhile.
    """
    way: list[tuple[int, int, list[str]]] = []  # folders that are open: the mode they had, and which in them are left
    try:
        name, above = home, None
        while True:
            with suppress(FileNotFoundError, NotADirectoryError, PermissionError):  # gone; or somebody else's
                folder, mode = _opened(name, above)
                way.append((folder, mode, []))
                yield os.fstat(folder)
                for entry, found in _stats(folder):
                    if stat.S_ISDIR(found.st_mode):
                        way[-1][2].append(entry)
                    else:
                        yield found
            while way and not way[-1][2]:
                _close(*way.pop()[:2])
            if not way:
                return
            if len(way) > DEEPEST:
                raise OSError("folders too deep to be counted")
            name, above = way[-1][2].pop(), way[-1][0]
    finally:
        for folder, mode, _ in way:
            _close(folder, mode)


def _opened(name: str, above: int | None) -> tuple[int, int]:
    """Open a folder and return its mode. A folder that our own user has locked is unlocked while it is read."""
    handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    try:
        way, mode = f"/proc/self/fd/{handle}", stat.S_IMODE(os.fstat(handle).st_mode)
        if mode & LOOK != LOOK:
            os.chmod(way, mode | LOOK)
        return os.open(way, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), mode
    finally:
        os.close(handle)


def _close(folder: int, mode: int) -> None:
    if mode & LOOK != LOOK:
        os.fchmod(folder, mode)
    os.close(folder)


def _stats(folder: int) -> Iterator[tuple[str, os.stat_result]]:
    for name in os.listdir(folder):
        with suppress(OSError):
            yield name, os.stat(name, dir_fd=folder, follow_symlinks=False)


def _deleted(home: str) -> Iterator[os.stat_result]:
    """Yield deleted files of this user, which use space as long as a process has them open."""
    place = os.stat(home)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # ended meanwhile, or hidden from us
            if _user(pid) != place.st_uid:
                continue
            if place.st_uid == os.geteuid() and not os.path.samestat(place, os.stat(f"/proc/{pid}/root{INSIDE}")):
                continue  # here all users' files have one owner; only this user's box has this home mounted there
            # Open, or closed again and still in somebody's memory, which the kernel shows to root alone.
            for file in chain(glob(f"/proc/{pid}/task/*/fd/*"), glob(f"/proc/{pid}/map_files/*")):
                with suppress(OSError):
                    found = os.stat(file)
                    if found.st_nlink == 0 and (found.st_dev, found.st_uid) == (place.st_dev, place.st_uid):
                        yield found


def _user(pid: str) -> int:
    """Return the user id of a process, which cannot be faked by the owner of its folder in /proc. Raises: OSError."""
    status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    return int(status.partition("\nUid:")[2].split(maxsplit=1)[0])


if __name__ == "__main__":
    os.nice(10)
    print(*used(sys.argv[1], Used(int(sys.argv[2]), int(sys.argv[3]))))
