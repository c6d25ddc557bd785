"""One session's log, what it says, and everyone who looks on: nothing is shown that was to be stored and was not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import structs

from core.errors import StoreUnavailable
from core.events import (
    AnyEvent,
    Live,
    Notice,
    StateChanged,
    TextDelta,
    ThinkingDelta,
    encode,
    encode_many,
    seq_of,
)
from core.runner.known import Known
from core.runner.log import Log, Scanned
from core.runner.recall import Recall
from core.runner.todos import Checklist
from core.runner.veil import Veil
from core.states import SessionState, step

QUEUE_EVENTS = 2_000  # a reader that lags further comes back with its number instead of eating our memory
FRAME_EVENTS = 200


class Lagging(Exception):
    """This reader's queue ran over."""


class Watcher:
    """One reader: everything stored after its number, then the present, then what happens."""

    def __init__(self, log: Log, after: int, present: bytes) -> None:
        self._log, self._after, self._upto, self._present = log, after, log.last_seq, present
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_EVENTS)
        self._lagging = False

    def offer(self, line: bytes) -> None:
        try:
            self._queue.put_nowait(line)
        except asyncio.QueueFull:
            self._lagging = True

    def end(self) -> None:
        """What it was told has been numbered anew: it is to come back with its number."""
        self._lagging = True
        self.offer(b"")

    async def frames(self) -> AsyncIterator[bytes]:
        """JSON arrays of events, for ever. Raises: Lagging."""
        while self._after < self._upto and not self._lagging:
            lines = self._log.read(self._after, min(500, self._upto - self._after))
            self._after += len(lines)
            yield _array(lines)
        yield self._present
        while True:
            lines = [await self._queue.get()]
            while not self._queue.empty() and len(lines) < FRAME_EVENTS:
                lines.append(self._queue.get_nowait())
            if self._lagging:
                raise Lagging
            yield _array(lines)


class Journal:
    """The only writer of a session's log. All calls are synchronous, so that no two can mix.

    What is `known` to be secret is neither stored nor shown; what the session does next still knows it.
    """

    def __init__(
        self, session: str, log: Log, events: list[AnyEvent], stored: Callable[[], None], known: Known
    ) -> None:
        self.session, self.log = session, log
        self.recall = Recall()
        self._stored, self._veil = stored, Veil(known)
        self._todos = Checklist()
        self._watchers: set[Watcher] = set()
        for event in events:
            self.recall.apply(event)
            self._todos.apply(event)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def record(self, event: AnyEvent) -> int:
        """Store, then show. The event's number.

        Raises: StoreUnavailable: it is neither stored nor shown.
        """
        masked = self._veil.stored(event)
        stored, line = self.log.append(masked)
        whole = stored if masked is event else structs.replace(event, seq=stored.seq, at=stored.at)
        self.recall.apply(whole, shown=stored)
        self._publish(line)
        todos = self._todos.apply(stored)
        if todos is not None:
            self.record(todos)
        self._stored()
        return seq_of(stored)

    def adopt(self, draft: Path, scanned: Scanned) -> None:
        """Go on with another log in the place of this one. Raises: OSError: nothing has changed."""
        self.log.become(draft, scanned.ends)
        recall, self._todos = Recall(), Checklist()
        for event in scanned.events:
            recall.apply(event)
            self._todos.apply(event)
        self.recall.become(recall)
        for watcher in self._watchers:
            watcher.end()

    def tell(self, problem: str) -> None:
        """A notice of something that is wrong; where even that cannot be stored, there is nobody left to tell."""
        with suppress(StoreUnavailable):
            self.record(Notice(level="error", text=problem))

    def show(self, event: AnyEvent) -> None:
        """To those who look on now; it is not stored."""
        shown = self._veil.shown(event)  # also when nobody looks: it keeps what waits for the next piece
        if self._watchers and shown is not None:
            self._publish(encode(shown))

    def shown(self, unfinished: list[TextDelta | ThinkingDelta]) -> list[TextDelta | ThinkingDelta]:
        """Unfinished blocks as far as they may be seen by now, by a late reader or on disk."""
        return self._veil.unfinished(unfinished)

    def become(self, state: SessionState, turn: str = "") -> None:
        """The session's state, and the turn that is open in it; says nothing if nothing changes.

        Raises: Conflict: the state table does not allow it.
        """
        if state is not self.recall.state or turn != self.recall.turn:
            self.record(StateChanged(state=step(self.recall.state, state), turn=turn))

    @contextmanager
    def watch(self, after: int, unfinished: list[TextDelta | ThinkingDelta]) -> Iterator[Watcher]:
        """A reader from number `after` on, until the context is left."""
        # No await between these: a reader must neither miss an event nor see one twice.
        present = encode_many([Live(last_seq=self.log.last_seq), *self.shown(unfinished)])
        watcher = Watcher(self.log, after, present)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _publish(self, line: bytes) -> None:
        for watcher in self._watchers:
            watcher.offer(line)


def _array(lines: list[bytes]) -> bytes:
    return b"[" + b",".join(lines) + b"]"
