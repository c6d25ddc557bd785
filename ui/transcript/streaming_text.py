"""A text while it is being written: its deltas become few and small changes, however long it grows."""

from typing import Final

from ui.transcript.markdown import opening, plain, quick, split_blocks
from ui.transcript.ops import AnyOp, More, Raw, Tail

LONG_TAIL: Final = 3_000  # characters of one unfinished paragraph; beyond, rendering it at each tick costs too much
ENDLESS_TAIL: Final = 50_000  # nobody writes a paragraph like this: its ends are not looked for any more


class StreamingText:
    """One unfinished block. `add` takes deltas; `changes` says what the pages need since it was last asked."""

    def __init__(self, key: str, *, prose: bool = True) -> None:
        self.key = key
        self._prose = prose
        self._done: list[str] = []  # html of the finished blocks
        self._tail = ""  # the source after them
        self._slow = False  # this paragraph is built to be slow: it is shown as it is written
        self._html = ""  # of the tail, if it is not sent as characters
        self._raw = not prose  # the tail is sent as characters, not as html
        self._shown = 0  # characters of the raw tail that were sent
        self._dirty = False

    def add(self, text: str) -> None:
        """More of it."""
        self._tail += text
        self._dirty = True

    def changes(self) -> list[AnyOp]:
        """The ops that bring a page which had everything up to the last call up to now."""
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
        """(html of the finished blocks, ops for the tail) as of the last `changes`, for a page that has nothing yet."""
        html = "".join(self._done)
        if self._raw:
            return html, [Raw(key=self.key, text=self._raw_part()[: self._shown], code=self._in_code())]
        return html, [Tail(key=self.key, html=self._html)] if self._html else []

    def _readable(self) -> bool:
        """Whether the tail is shown as what it will be; then it is rendered."""
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
        html = quick(done) or plain(done)  # the finished text takes the place of all this, rendered in a thread
        self._done.append(html)
        return [More(key=self.key, html=html)]

    def _first_line(self) -> str:
        return self._tail.lstrip("\n").split("\n", 1)[0]

    def _in_code(self) -> bool:
        return self._prose and bool(opening(self._first_line()))

    def _raw_part(self) -> str:
        """What of the tail may be shown: of a code block its inside, without a last line that may be its end."""
        if not self._in_code():
            return self._tail
        inside = self._tail.lstrip("\n").partition("\n")[2]
        body, newline, last = inside.rpartition("\n")
        return body + newline if not last.strip(self._first_line().strip()[0] + " ") else inside
