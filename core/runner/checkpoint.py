"""Unfinished text, kept beside the log: what a killed runner had shown of an answer is not lost with it.

Deltas are not stored. So once a second the text that is under way is written to `<session>.part`, whole, by a rename
and without fsync: it is to survive a SIGKILL, not a power cut. The runner that opens the log again keeps it as partial
text, and when the turn ends the file goes.

The file says after which event of the log it was written, and what was stored since tells which of its blocks are
still unfinished: one that was finished meanwhile, or that the CLI has begun again, is left out. The agent can write in
its home, and thus here, as it can in the log: whatever is no small plain file of this shape is as good as none.
"""

import logging
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from core.domain.events import AnyEvent, Text, TextDelta, Thinking, ThinkingDelta, ToolCalled, TurnFinished, decode
from core.runner.log import EventLog

log = logging.getLogger("oma.checkpoint")

CHARS = 500_000  # of a turn's unfinished text: more than a model says in one answer
FILE_BYTES = 4 * 1024 * 1024  # as JSON a character has six bytes at most
BLOCKS = 100
OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a named pipe in its place stops nobody


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the file: `texts`, all of one message, were unfinished when the log ended with number `after`."""

    after: int
    texts: tuple[Text, ...]


class Checkpoint:
    """Of one session. `keep` every second of a turn, `forget` at its end, `left` after opening the log."""

    def __init__(self, file: EventLog) -> None:
        self._log = file
        self._path = file.path.with_suffix(".part")
        self._kept: tuple[Text, ...] = ()
        self._there = True  # for all we know

    def keep(self, unfinished: Iterable[TextDelta | ThinkingDelta]) -> None:
        """Write it down if it is not what stands there. A disk that does not take it costs only this net."""
        texts = _bounded(unfinished)
        if texts == self._kept:
            return
        self._kept = texts
        if not texts:
            self.forget()
            return
        new = self._path.with_suffix(".part.new")
        try:
            _write(new, msgspec.json.encode(Part(after=self._log.last_seq, texts=texts)))
            os.replace(new, self._path)
            self._there = True
        except (OSError, UnicodeEncodeError) as error:
            log.warning("unfinished text was not kept: %s", error)

    def forget(self) -> None:
        """Nothing is unfinished any more."""
        self._kept = ()
        if self._there:
            self._there = False
            try:
                self._path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("a checkpoint stays: %s", error)  # the log has the turn's end: nobody will believe it

    def left(self) -> Sequence[Text]:
        """What was unfinished when the log's last writer ended, without what is in the log."""
        try:
            part = msgspec.json.decode(_read(self._path), type=Part)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ()
        if not 0 < part.after <= self._log.last_seq or not _plausible(part.texts):
            return ()
        lines = self._log.read(part.after)
        if len(lines) < self._log.last_seq - part.after:
            return ()  # so much has happened since that it cannot be unfinished
        return _outstanding(part.texts, _known(lines))


def _bounded(unfinished: Iterable[TextDelta | ThinkingDelta]) -> tuple[Text, ...]:
    """The unfinished texts as they would be stored, from their beginning, CHARS together."""
    left, texts = CHARS, list[Text]()
    for delta in unfinished:
        if isinstance(delta, TextDelta) and (text := delta.text[:left]) and len(texts) < BLOCKS:
            texts.append(Text(message=delta.message, block=delta.block, text=text, partial=True))
            left -= len(text)
    return tuple(texts)


def _plausible(texts: Sequence[Text]) -> bool:
    """Whether we may have written this."""
    return (
        0 < len(texts) <= BLOCKS
        and sum(len(text.text) for text in texts) <= CHARS
        and all(text.partial and text.text and text.message == texts[0].message for text in texts)
        and len({text.block for text in texts}) == len(texts)
    )


def _outstanding(texts: Sequence[Text], since: Iterable[AnyEvent]) -> Sequence[Text]:
    """Of one message's unfinished blocks those that were neither finished nor begun anew in what was stored since."""
    for event in since:
        match event:
            case Text() | Thinking() if event.message == texts[0].message:
                texts = [text for text in texts if text.block > event.block]
            case Text() | Thinking() | ToolCalled(parent="") | TurnFinished():
                return ()
        if not texts:
            break
    return texts


def _known(lines: Iterable[bytes]) -> Iterable[AnyEvent]:
    for line in lines:
        try:
            yield decode(line)
        except msgspec.DecodeError:
            continue  # of a newer version


def _write(path: Path, raw: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | OPEN, 0o600)
    with open(fd, "wb") as file:
        file.write(raw)


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
