"""Unfinished text, kept beside the log: what a killed runner had shown of an answer is not lost with it.

Deltas are not stored. So each is written to `<session>.part`, a line of JSON, before it is shown: by one write without
fsync, some ten microseconds, which is to survive a SIGKILL, not a power cut. The runner that opens the log again keeps
what is in it as partial text, and when the turn ends the file goes.

Each line says after which event of the log it was written, and what was stored since tells which blocks are still
unfinished: one that was finished meanwhile, or that the CLI has begun again, is left out. The agent can write in its
home, and thus here, as it can in the log: whatever is no small plain file of this shape is as good as none.
"""

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from core.domain.events import AnyEvent, Text, TextDelta, Thinking, ToolCalled, TurnFinished, decode, seq_of
from core.runner.log import EventLog

log = logging.getLogger("oma.checkpoint")

FILE_BYTES = 4 * 1024 * 1024  # of a turn's unfinished text: more than a model says in one answer
BLOCKS = 100
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe in its place stops nobody


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the file: this was shown of a block when the log ended with number `after`."""

    after: int
    message: str
    block: int
    text: str


class Checkpoint:
    """Of one session. `keep` before each delta is shown, `forget` at a turn's end, `left` after opening the log."""

    def __init__(self, file: EventLog) -> None:
        self._log = file
        self._path = file.path.with_suffix(".part")
        self._fd = -1
        self._message = ""
        self._size = 0
        self._there = True  # for all we know

    def keep(self, delta: TextDelta) -> None:
        """Write it down. A disk that does not take it costs only this net: the rest of the turn goes without."""
        if self._size > FILE_BYTES:
            return
        try:
            if delta.message != self._message:  # discards what is unfinished of the one before
                self._begin(delta.message)
            piece = Piece(after=self._log.last_seq, message=delta.message, block=delta.block, text=delta.text)
            line = msgspec.json.encode(piece) + b"\n"
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

    def forget(self) -> None:
        """Nothing is unfinished any more."""
        self._message, self._size = "", 0
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._there:
            self._there = False
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("a checkpoint stays: %s", error)  # the log has the turn's end: nobody will believe it

    def left(self) -> Sequence[Text]:
        """What was unfinished when the log's last writer ended, without what is in the log."""
        try:
            pieces = _pieces(_read(self._path))
        except OSError:
            return ()
        if not pieces or not 0 < pieces[0].after <= pieces[-1].after <= self._log.last_seq:
            return ()
        lines = self._log.read(pieces[0].after)
        if len(lines) < self._log.last_seq - pieces[0].after:
            return ()  # so much has happened since that it cannot be unfinished
        return _outstanding(pieces, list(_known(lines)))


def _pieces(raw: bytes) -> list[Piece]:
    """Those of the last message, in their order; nothing if there is a line that we did not write."""
    found: list[Piece] = []
    for line in raw.split(b"\n")[:-1]:  # what was cut off in the middle was not shown
        try:
            piece = msgspec.json.decode(line, type=Piece)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        if found and (piece.message != found[-1].message or piece.after < found[-1].after):
            return []
        found.append(piece)
    return found if len({piece.block for piece in found}) <= BLOCKS else []


def _outstanding(pieces: list[Piece], since: list[AnyEvent]) -> Sequence[Text]:
    """The blocks that were neither finished nor begun anew in what was stored since each of their pieces."""
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
            continue  # of a newer version


def _read(path: Path) -> bytes:
    """Raises: OSError: there is none, or it is no file of ours."""
    fd = os.open(path, os.O_RDONLY | OPEN)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode) or about.st_size > FILE_BYTES:
            raise OSError(f"{path.name} is no checkpoint")
        return os.pread(fd, FILE_BYTES, 0)
    finally:
        os.close(fd)
