"""A session's events on disk: one line of JSON each, numbered from 1 without gaps, and never changed again.

A line reaches the file by a single write on an O_APPEND descriptor: killed between any two instructions, the process
leaves whole lines and at most one torn one at the end, which the next opening cuts off. What was acknowledged is
therefore there, and numbers are never given twice.

The machine's own death (a power cut) may take what the disk does not have yet. Therefore `sync` comes before anybody
else is told that something is kept: before a message or an answer is acknowledged, and before events are handed to the
gateway, so that the Store is never ahead of the log and a lost number was in nobody's hands but a page's. A message is
given to the CLI before that: here one fdatasync takes 1 to 2 ms, under load 10. Should the Store be ahead all the same
(a home put back from a backup), core/runner/log_repair.py makes the log whole again: the one case in which it is
replaced.
"""

import os
import stat
from array import array
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from core.domain.errors import StoreUnavailable
from core.domain.events import AnyEvent, decode, encode, numbered

READ_BYTES = 4 * 1024 * 1024  # of one `read`; one event may be larger and then comes alone


class Scanned(NamedTuple):
    """The contents of a log: the offset at which line n ends ([0] is 0), and the events of kinds that we know."""

    ends: "array[int]"
    events: list[AnyEvent]


class EventLog:
    """Opened once a session, by `Log.open`. All calls are synchronous: an append is some ten microseconds."""

    def __init__(self, path: Path, fd: int, ends: "array[int]") -> None:
        self.path = path
        self._fd = fd
        self._ends = ends  # where line n ends in the file; [0] is 0
        self._synced_bytes = -1

    @classmethod
    def open(cls, path: Path) -> tuple[Self, list[AnyEvent]]:
        """The log, mended, and what is in it. Kinds of events that we do not know keep their numbers, but are left out.

        Raises: OSError: the file cannot be made or read.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(f"{path.name} is not a file")
            ends, events = scan(path.read_bytes())
            if ends[-1] != os.fstat(fd).st_size:
                os.ftruncate(fd, ends[-1])
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, ends), events

    @property
    def last_seq(self) -> int:
        return len(self._ends) - 1

    @property
    def size_bytes(self) -> int:
        return self._ends[-1]

    def append(self, event: AnyEvent) -> tuple[AnyEvent, bytes]:
        """The event with its number, and its line; it is in the file when this returns.

        Raises: StoreUnavailable: the disk did not take it; nothing was appended.
        """
        stored = numbered(event, seq=self.last_seq + 1)
        line = encode(stored)
        whole = line + b"\n"
        try:
            written = os.write(self._fd, whole)
        except OSError as error:
            raise StoreUnavailable(f"the log cannot be written: {error}") from error
        if written != len(whole):
            os.ftruncate(self._fd, self.size_bytes)
            raise StoreUnavailable("the log cannot be written: the disk is full")
        self._ends.append(self.size_bytes + written)
        return stored, line

    def read(self, after: int, limit: int = 500) -> list[bytes]:
        """The lines that follow number `after`: at most `limit`, and not many more than READ_BYTES."""
        first, last = max(after, 0), min(max(after, 0) + limit, self.last_seq)
        while last - first > 1 and self._ends[last] - self._ends[first] > READ_BYTES:
            last = first + (last - first) // 2
        if last <= first:
            return []
        raw = os.pread(self._fd, self._ends[last] - self._ends[first], self._ends[first])
        return raw.split(b"\n")[:-1]

    def sync(self) -> None:
        """Blocks until the disk has all that is appended now: for a thread. Raises: OSError."""
        fd, size = self._fd, self.size_bytes
        if fd < 0 or self._synced_bytes >= size:
            return
        os.fdatasync(fd)
        if self._synced_bytes < 0:
            _sync_name(self.path)
        self._synced_bytes = size

    def become(self, draft: Path, ends: "array[int]") -> None:
        """Go on with the file `draft` in the place of this one. Raises: OSError: nothing has changed."""
        if self._fd < 0:
            raise OSError("the log is closed")
        fd = os.open(draft, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fdatasync(fd)
            os.replace(draft, self.path)
            os.dup2(fd, self._fd, inheritable=False)  # the same number: a thread may be at `sync`
        finally:
            os.close(fd)
        self._ends, self._synced_bytes = ends, -1

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _sync_name(path: Path) -> None:
    """A new file's name is its folder's business."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def scan(raw: bytes) -> Scanned:
    """Return where the complete lines end, and the events in them; it stops at the first line that is not JSON."""
    ends, events, start = array("q", [0]), list[AnyEvent](), 0
    while (end := raw.find(b"\n", start)) >= 0:
        try:
            events += _event(raw[start:end])
        except msgspec.DecodeError:
            break
        start = end + 1
        ends.append(start)
    return Scanned(ends, events)


def _event(line: bytes) -> list[AnyEvent]:
    """Nothing for a kind from a newer version: it keeps its number. Raises: msgspec.DecodeError: no JSON."""
    try:
        return [decode(line)]
    except msgspec.ValidationError:
        msgspec.json.decode(line)
        return []
