"""A text that is being written: its deltas become few, small changes, however long it grows."""

from typing import Final

from ui.transcript.markdown import opening, plain, quick, split_blocks
from ui.transcript.ops import AnyOp, More, Raw, Tail

LONG_TAIL: Final = 3_000  # characters of an unfinished paragraph; a longer one is too slow to render at each tick
ENDLESS_TAIL: Final = 50_000  # no real paragraph is this long: the search for its end stops


class StreamingText:
    """An unfinished block. `add` takes deltas; `changes` returns what pages need since its last call."""

    def __init__(self, key: str, *, prose: bool = True) -> None:
        self.key = key
        self._prose = prose
        self._done: list[str] = []  # html of the finished blocks
        self._tail = ""  # the source after them
        self._slow = False  # this paragraph is slow to render, so it is shown as it was written
        self._html = ""  # of the tail, if it is not sent as characters
        self._raw = not prose  # the tail is sent as characters, not as html
        self._shown = 0  # characters of the raw tail that were sent
        self._dirty = False

    def add(self, text: str) -> None:
        """Add text to the block."""
        self._tail += text
        self._dirty = True

    def changes(self) -> list[AnyOp]:
        """Return the ops for a page that had everything up to the last call."""
        if not self._dirty:
            return []
        self._dirty = False
        ops: list[AnyOp] = self._finish_blocks() if self._prose else []
        was_raw, self._raw = self._raw, not self._readable()
        if not self._raw:
            return [*ops, Tail(key=self.key, html=self._html)]
        if not was_raw or ops:
            ops.append(Tail(key=self.key, html=""))
            self._shown = 0
        part = self._raw_part()
        if len(part) > self._shown:
            ops.append(Raw(key=self.key, text=part[self._shown :], code=self._in_code()))
            self._shown = len(part)
        return ops

    def whole(self) -> tuple[str, list[AnyOp]]:
        """Return (HTML of the finished blocks, ops for the tail) as of the last `changes`, for a new page."""
        html = "".join(self._done)
        if self._raw:
            return html, [Raw(key=self.key, text=self._raw_part()[: self._shown], code=self._in_code())]
        return html, [Tail(key=self.key, html=self._html)] if self._html else []

    def _readable(self) -> bool:
        """True if the tail is short and fast enough to be shown rendered."""
        if not self._prose or self._slow or len(self._tail) > LONG_TAIL or opening(self._first_line()):
            return False
        html = quick(self._tail) if self._tail.strip() else ""
        self._slow, self._html = html is None, html or ""
        return not self._slow

    def _finish_blocks(self) -> list[AnyOp]:
        if len(self._tail) > ENDLESS_TAIL:
            return []
        done, self._tail = split_blocks(self._tail)
        if not done.strip():
            return []
        self._slow = False
        html = quick(done) or plain(done)  # later the finished text, rendered in a thread, replaces all this
        self._done.append(html)
        return [More(key=self.key, html=html)]

    def _first_line(self) -> str:
        return self._tail.lstrip("\n").split("\n", 1)[0]

    def _in_code(self) -> bool:
        return self._prose and bool(opening(self._first_line()))

    def _raw_part(self) -> str:
        """Return the part of the tail that may be shown: of a code block its inside, without a last line that may be
        its end.
        """
        if not self._in_code():
            return self._tail
        inside = self._tail.lstrip("\n").partition("\n")[2]
        body, newline, last = inside.rpartition("\n")
        return body + newline if not last.strip(self._first_line().strip()[0] + " ") else inside
