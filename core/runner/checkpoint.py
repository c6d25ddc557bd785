"""A file of unfinished text beside the log, so that text that was shown survives a killed runner.

Deltas are not stored as events. Instead each is written to `<session>.part` as a line of JSON before it is shown: by
one write without fsync, some ten microseconds. That survives a SIGKILL, but not a power cut. The runner that opens the
log again keeps the file's text as partial, and the file is deleted when the turn ends. Each line names the last event
of the log at its time. The events since then tell which blocks are still unfinished: a block that was finished, or that
the CLI has begun again, is left out. The agent can write in its home and thus here: anything but a small plain file of
this form, in lines with the runner's marks (seal.py), is ignored.
"""

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from core.domain.events import AnyEvent, Text, TextDelta, Thinking, ToolCalled, TurnFinished, decode, seq_of
from core.runner.log import EventLog
from core.runner.seal import Seal

log = logging.getLogger("oma.checkpoint")

PART = ".part"
FILE_BYTES = 4 * 1024 * 1024  # of a turn's unfinished text: more than a model writes in one answer
BLOCKS = 100
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe in its place must not block


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file: text of a block that was shown when the log ended with number `after`."""

    after: int
    message: str
    block: int
    text: str


class Checkpoint:
    """The checkpoint of one session. Call `keep` before showing a delta, `forget` at a turn's end, `left` after opening
    the log.
    """

    def __init__(self, file: EventLog) -> None:
        self._log = file
        self._path = file.path.with_suffix(PART)
        self._marks = file.seal(PART)
        self._fd = -1
        self._message = ""
        self._size = 0
        self._there = True  # it may exist

    def keep(self, delta: TextDelta) -> None:
        """Write a delta to the file. If the disk refuses, the rest of the turn goes on without a checkpoint."""
        if self._size > FILE_BYTES:
            return
        try:
            if delta.message != self._message:  # discards what is unfinished of the one before
                self._begin(delta.message)
            piece = Piece(after=self._log.last_seq, message=delta.message, block=delta.block, text=delta.text)
            line = self._marks.line(msgspec.json.encode(piece)) + b"\n"
            self._size += len(line)
            if self._size <= FILE_BYTES and os.write(self._fd, line) != len(line):
                raise OSError("the disk is full")
        except (OSError, UnicodeEncodeError) as error:
            self._size = FILE_BYTES + 1
            log.warning("unfinished text was not kept: %s", error)

    def _begin(self, message: str) -> None:
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | OPEN, 0o600)
            self._there = True
        os.ftruncate(self._fd, 0)
        self._message, self._size = message, 0
        self._marks = self._marks.restarted()

    def forget(self) -> None:
        """Delete the file, because nothing is unfinished any more."""
        self._message, self._size = "", 0
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._there:
            self._there = False
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                log.warning(
                    "a checkpoint stays: %s", error
                )  # the log has the turn's end, so its content will be ignored

    def left(self) -> Sequence[Text]:
        """Return the text that was unfinished when the log's last writer ended, without what is in the log."""
        try:
            pieces = _pieces(_read(self._path), self._marks.restarted())
        except OSError:
            return ()
        if not pieces or not 0 < pieces[0].after <= pieces[-1].after <= self._log.last_seq:
            return ()
        lines = self._log.read(pieces[0].after)
        if len(lines) < self._log.last_seq - pieces[0].after:
            return ()  # with so many events since, it cannot be unfinished
        return _outstanding(pieces, list(_known(lines)))


def _pieces(raw: bytes, marks: Seal) -> list[Piece]:
    """Return the pieces of the last message in order; none if any line is not ours."""
    found: list[Piece] = []
    for line in raw.split(b"\n")[:-1]:  # an incomplete line was not shown
        try:
            piece = msgspec.json.decode(marks.opened(line) or b"", type=Piece)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        if found and (piece.message != found[-1].message or piece.after < found[-1].after):
            return []
        found.append(piece)
    return found if len({piece.block for piece in found}) <= BLOCKS else []


def _outstanding(pieces: list[Piece], since: list[AnyEvent]) -> Sequence[Text]:
    """Return the blocks that were neither finished nor begun again by the events stored since their pieces."""
    texts: dict[int, list[str]] = {}
    known: dict[tuple[int, int], bool] = {}  # there are many pieces of a block between two events
    for piece in pieces:
        place = (piece.after, piece.block)
        if place not in known:
            known[place] = _ended(piece, [event for event in since if seq_of(event) > piece.after])
        if not known[place]:
            texts.setdefault(piece.block, []).append(piece.text)
    message = pieces[0].message
    return [Text(message=message, block=block, text="".join(parts), partial=True) for block, parts in texts.items()]


def _ended(piece: Piece, later: Iterable[AnyEvent]) -> bool:
    for event in later:
        match event:
            case Text() | Thinking() if event.message == piece.message:
                if event.block >= piece.block:
                    return True
            case Text() | Thinking() | ToolCalled(parent="") | TurnFinished():
                return True
    return False


def _known(lines: Iterable[bytes]) -> Iterable[AnyEvent]:
    for line in lines:
        try:
            yield decode(line)
        except msgspec.DecodeError:
            continue  # a kind of a newer version


def _read(path: Path) -> bytes:
    """Return the file's content. Raises: OSError: there is no such file, or it is not one of ours."""
    fd = os.open(path, os.O_RDONLY | OPEN)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > FILE_BYTES:
            raise OSError(f"{path.name} is no checkpoint")
        return os.pread(fd, FILE_BYTES, 0)
    finally:
        os.close(fd)
