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

The agent's programs can write in the home, and thus here. So each line carries a mark that only the runner can make
(seal.py), in the same write. A line whose mark is not right is not believed, nor is anything after it: on opening, the
log is cut there, and what the Store has of the rest is taken in again before the session does anything (outbox.py).
What an attack can take away is what no Store has yet.
"""

import logging
import os
import stat
from array import array
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import NamedTuple, Self

import msgspec

from core.domain.errors import StoreUnavailable
from core.domain.events import AnyEvent, Notice, decode, encode, numbered
from core.runner.seal import Seal, mark_of, unmarked

log = logging.getLogger("oma.log")

LOG_FORGED = "log_forged"
READ_BYTES = 4 * 1024 * 1024  # of one `read`; one event may be larger and then comes alone


class LogForged(StoreUnavailable):
    """The file has changed while it was open: line `seq` is not what was written. Ask again later: it is mended."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"event {seq} of the log is not what was written")
        self.seq = seq


class Scanned(NamedTuple):
    """A log that was read: where line n ends ([0] is 0), the events of the kinds that we know, and how it goes on.

    `marks` stands after the last line. The first `plain` lines have none: a version without marks has written them, and
    the one after them follows `ground`. `forged`: a line comes next that is one, and that no runner has written.
    """

    ends: "array[int]"
    events: list[AnyEvent]
    marks: Seal
    plain: int = 0
    ground: bytes = b""
    forged: bool = False


class EventLog:
    """Opened once a session, by `Log.open`. All calls are synchronous: an append is some ten microseconds."""

    def __init__(self, path: Path, fd: int, scanned: Scanned, key: bytes) -> None:
        self.path, self._fd, self._key = path, fd, key
        self._take(scanned)
        self.forged = scanned.forged  # when it was opened; what could not be believed is no part of it
        self._synced_bytes = -1

    def _take(self, scanned: Scanned) -> None:
        self._ends = scanned.ends  # where line n ends in the file; [0] is 0
        self._marks, self._plain, self._ground = scanned.marks, scanned.plain, scanned.ground

    @classmethod
    def open(cls, path: Path, key: bytes) -> tuple[Self, list[AnyEvent]]:
        """The log, mended, and what is in it. Kinds of events that we do not know keep their numbers, but are left out.

        Raises: OSError: the file cannot be made or read.
        """
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(f"{path.name} is not a file")
            raw = os.pread(fd, os.fstat(fd).st_size, 0)
            scanned = scan(raw, Seal(key, path.stem))
            if scanned.forged:
                _keep_aside(path.with_suffix(".rejected"), raw)
            if scanned.ends[-1] != os.fstat(fd).st_size:
                os.ftruncate(fd, scanned.ends[-1])
        except BaseException:
            os.close(fd)
            raise
        return cls(path, fd, scanned, key), scanned.events

    @property
    def marks(self) -> Seal:
        """Marks from the beginning, for another file that is to take the place of this one."""
        return self._marks.restarted()

    def seal(self, suffix: str) -> Seal:
        """Return marks for a file that is kept beside this one."""
        return Seal(self._key, self.path.stem + suffix)

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
        marks = copy(self._marks)  # an event that the disk does not take leaves no trace in them
        whole = marks.line(line) + b"\n"
        try:
            written = os.write(self._fd, whole)
        except OSError as error:
            raise StoreUnavailable(f"the log cannot be written: {error}") from error
        if written != len(whole):
            os.ftruncate(self._fd, self.size_bytes)
            raise StoreUnavailable("the log cannot be written: the disk is full")
        self._ends.append(self.size_bytes + written)
        self._marks = marks
        return stored, line

    def read(self, after: int, limit: int = 500) -> list[bytes]:
        """Return the lines that follow number `after`: at most `limit`, and not many more than READ_BYTES.

        Raises: LogForged: one of them is not what was written.
        """
        first, last = max(after, 0), min(max(after, 0) + limit, self.last_seq)
        while last - first > 1 and self._ends[last] - self._ends[first] > READ_BYTES:
            last = first + (last - first) // 2
        if last <= first:
            return []
        before = self._ends[max(first - 1, 0)]
        raw = os.pread(self._fd, self._ends[last] - before, before)
        lines = list(self._believed(raw[: self._ends[first] - before], raw[self._ends[first] - before :], first))
        if len(lines) < last - first:
            raise LogForged(first + len(lines) + 1)  # the file has been cut
        return lines

    def _believed(self, before: bytes, raw: bytes, first: int) -> Iterator[bytes]:
        """Yield the lines without their marks. `before` is the line before them, which their marks follow."""
        marks = self._marks.restarted(mark_of(before[:-1]))
        for seq, line in enumerate(raw.split(b"\n")[:-1], first + 1):
            if seq <= self._plain:
                yield line
                continue
            if seq == self._plain + 1:
                marks = self._marks.restarted(self._ground)
            if (body := marks.opened(line)) is None:
                raise LogForged(seq)
            yield body

    def sync(self) -> None:
        """Blocks until the disk has all that is appended now: for a thread. Raises: OSError."""
        fd, size = self._fd, self.size_bytes
        if fd < 0 or self._synced_bytes >= size:
            return
        os.fdatasync(fd)
        if self._synced_bytes < 0:
            _sync_name(self.path)
        self._synced_bytes = size

    def become(self, draft: Path, scanned: Scanned) -> None:
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
        self._take(scanned)
        self._synced_bytes = -1

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


def scan(raw: bytes, marks: Seal) -> Scanned:
    """Find where the lines end that can be believed, and the events in them.

    Stops at the first line that is no JSON, which a power cut leaves, and at the first whose mark is not right. Lines
    without marks are believed if they are the first ones and a marked line stands on them.
    """
    ends, events, start, plain, ground = array("q", [0]), list[AnyEvent](), 0, 0, b""
    forged = False
    while (end := raw.find(b"\n", start)) >= 0:
        line = raw[start:end]
        try:
            found = event_of(line)
        except msgspec.DecodeError:
            break
        if plain == len(ends) - 1 and unmarked(line) is line:
            plain += 1
        else:
            if plain and plain == len(ends) - 1:
                marks.cover(raw[:start])
                ground = marks.last
            if forged := marks.opened(line) is None:
                break
        events += found
        start = end + 1
        ends.append(start)
    if plain and plain == len(ends) - 1:  # nothing stands on them
        return Scanned(array("q", [0]), [], marks.restarted(), forged=True)
    return Scanned(ends, events, marks, plain, ground, forged)


def take_over(path: Path, key: bytes) -> None:
    """Take over a log without marks: a notice that says so gets the first mark, which covers all before it.

    Raises: OSError, StoreUnavailable: it is as it was.
    """
    ends, raw = array("q", [0]), path.read_bytes()
    while (end := raw.find(b"\n", ends[-1])) >= 0:
        line = raw[ends[-1] : end]
        try:
            event_of(line)
        except msgspec.DecodeError:
            break
        if unmarked(line) is not line:
            return  # it has been taken over before
        ends.append(end + 1)
    if len(ends) == 1:
        return
    marks = Seal(key, path.stem)
    marks.cover(raw[: ends[-1]])
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    file = EventLog(path, fd, Scanned(ends, [], marks), key)
    try:
        os.ftruncate(fd, ends[-1])
        file.append(Notice(level="info", text="log_taken_over"))
    finally:
        file.close()


def _keep_aside(path: Path, raw: bytes) -> None:
    """Keep a copy of a log that is not believed, for people who want to see it; the next one replaces it."""
    try:
        path.unlink(missing_ok=True)
        path.write_bytes(raw)
    except OSError as error:
        log.warning("%s was not kept: %s", path.name, error)


def event_of(line: bytes) -> list[AnyEvent]:
    """Nothing for a kind from a newer version: it keeps its number. Raises: msgspec.DecodeError: no JSON."""
    try:
        return [decode(line)]
    except msgspec.ValidationError:
        msgspec.json.decode(line)
        return []
