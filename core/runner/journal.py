"""The log of a session, the state that follows from it, and its readers. An event is stored before it is shown."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import structs

from core.domain.errors import StoreUnavailable
from core.domain.events import (
    AnyEvent,
    Live,
    Notice,
    StateChanged,
    TextDelta,
    ThinkingDelta,
    ToolProgress,
    ToolReturned,
    TurnCost,
    encode,
    encode_many,
    seq_of,
)
from core.domain.states import SessionState, step
from core.runner.event_redactor import EventRedactor
from core.runner.known_secrets import KnownSecrets
from core.runner.log import EventLog, LogForged, Scanned
from core.runner.session_projection import SessionProjection
from core.runner.todos import Checklist

QUEUE_EVENTS = 2_000  # a reader that lags further has to connect again
FRAME_EVENTS = 200
OUTPUT_CHARS = 8_000  # of a running command's output, kept for late readers
COSTS = 500  # costs of turns, kept for late readers
PACE_S = 0.03  # between frames that contain only text: each frame costs the reader a redraw


class ReaderLagging(Exception):
    """This reader's queue is full."""


class Watcher:
    """A reader: it gets all stored events after its number, then the present state, then new events."""

    def __init__(self, read: Callable[[int, int], list[bytes]], after: int, *, upto: int, present: bytes) -> None:
        self._read, self._after, self._upto, self._present = read, after, upto, present
        self._lines: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # by the loop's clock; text waits until then for more text
        self._words = self._lagging = False

    def offer(self, line: bytes, *, words: bool = False) -> None:
        """Queue a line. `words`: it is more of a text and may wait for the next piece, unless it is the first."""
        if len(self._lines) < QUEUE_EVENTS:
            self._lines.append(line)
        else:
            self._lagging = True
        self._words = self._words or words
        loop = asyncio.get_running_loop()
        if not words or self._lagging or len(self._lines) >= FRAME_EVENTS or loop.time() >= self._due:
            self._ready.set()
        elif self._timer is None:
            self._timer = loop.call_at(self._due, self._wake)

    def end(self) -> None:
        """Make the reader connect again, because the events it has seen got new numbers."""
        self._lagging = True
        self.offer(b"")

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield JSON arrays of events, without end. Raises: ReaderLagging."""
        while self._after < self._upto and not self._lagging:
            try:
                lines = self._read(self._after, min(500, self._upto - self._after))
            except LogForged as error:  # it is put together again, and numbered anew
                raise ReaderLagging from error
            self._after += len(lines)
            yield _array(lines)
        yield self._present
        while True:
            await self._ready.wait()
            if self._lagging:
                raise ReaderLagging
            if self._words:
                self._words, self._due = False, asyncio.get_running_loop().time() + PACE_S
            lines = [self._lines.popleft() for _ in range(min(len(self._lines), FRAME_EVENTS))]
            if not self._lines:
                self._ready.clear()
            yield _array(lines)

    def _wake(self) -> None:
        self._timer = None
        self._ready.set()


class Journal:
    """The only writer of a session's log. All calls are synchronous, so that no two can mix.

    Known secrets are neither stored nor shown; the running session still has them in memory.
    """

    def __init__(
        self, session: str, log: EventLog, events: list[AnyEvent], stored: Callable[[], None], known: KnownSecrets
    ) -> None:
        self.session, self.log = session, log
        self.projection = SessionProjection()
        self._stored, self._redactor = stored, EventRedactor(known)
        self._todos = Checklist()
        self._outputs: dict[str, tuple[str, int]] = {}  # tool call → the end of its output, and the size of all of it
        self._watchers: set[Watcher] = set()
        self.on_forged: Callable[[int], None] = lambda _: None  # called with the event that the file has no longer
        self.before_shown: Callable[[TextDelta], None] = lambda _: None  # called with text before it is shown
        self._costs: deque[TurnCost] = deque(maxlen=COSTS)
        for event in events:
            self.projection.apply(event)
            self._todos.apply(event)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def record(self, event: AnyEvent) -> int:
        """Store an event, then show it. Returns its number.

        Raises: StoreUnavailable: it is neither stored nor shown.
        """
        masked = self._redactor.stored(event)
        stored, line = self.log.append(masked)
        whole = stored if masked is event else structs.replace(event, seq=stored.seq, at=stored.at)
        self.projection.apply(whole, shown=stored)
        self._publish(line)
        if isinstance(stored, ToolReturned) and not stored.background:
            self._outputs.pop(stored.id, None)
        elif isinstance(stored, StateChanged) and stored.state in (SessionState.ASLEEP, SessionState.FAILED):
            self._outputs.clear()  # its commands have ended with the CLI
        todos = self._todos.apply(stored)
        if todos is not None:
            self.record(todos)
        self._stored()
        return seq_of(stored)

    def read(self, after: int, limit: int) -> list[bytes]:
        """Return stored lines, as EventLog.read does. Raises: LogForged: it is being mended; ask later."""
        try:
            return self.log.read(after, limit)
        except LogForged as error:
            self.on_forged(error.seq)
            raise

    def adopt(self, draft: Path, scanned: Scanned) -> None:
        """Replace this log by another one and continue. Raises: OSError: nothing has changed."""
        self.log.become(draft, scanned)
        projection, self._todos = SessionProjection(), Checklist()
        for event in scanned.events:
            projection.apply(event)
            self._todos.apply(event)
        self.projection.replace_with(projection)
        for watcher in self._watchers:
            watcher.end()
        self._costs.clear()

    def tell(self, problem: str) -> None:
        """Record a notice of an error. If even that cannot be stored, it is dropped."""
        with suppress(StoreUnavailable):
            self.record(Notice(level="error", text=problem))

    def show(self, event: AnyEvent) -> None:
        """Show an event to present readers without storing it."""
        shown = self._redactor.shown(event)  # also without readers: it keeps the text that waits for the next piece
        if isinstance(shown, ToolProgress) and shown.text:
            text, size = self.output(shown.id)
            size += shown.skipped + len(shown.text)
            self._outputs[shown.id] = (text + shown.text)[-OUTPUT_CHARS:], size
        if isinstance(shown, TextDelta):
            self.before_shown(shown)
        if self._watchers and shown is not None:
            self._publish(encode(shown), words=isinstance(shown, TextDelta | ThinkingDelta))

    def tell_cost(self, cost: TurnCost) -> None:
        """Show the cost of a turn of this log, which the gateway reports after the turn's end."""
        if all(known.turn != cost.turn for known in self._costs):
            self._costs.append(cost)
            self.show(cost)

    def shown(self, unfinished: list[TextDelta | ThinkingDelta]) -> list[TextDelta | ThinkingDelta]:
        """Return unfinished blocks as far as a late reader, or the checkpoint, may see them."""
        return self._redactor.unfinished(unfinished)

    def output(self, tool_id: str) -> tuple[str, int]:
        """Return (the end of a running command's output, the approximate number of all its characters)."""
        return self._outputs.get(tool_id, ("", 0))

    def become(self, state: SessionState, turn: str = "") -> None:
        """Record a change of the session's state and open turn; nothing if both are the same.

        Raises: Conflict: the state table does not allow it.
        """
        if state is not self.projection.state or turn != self.projection.turn:
            self.record(StateChanged(state=step(self.projection.state, state), turn=turn))

    @contextmanager
    def watch(self, after: int, unfinished: list[TextDelta | ThinkingDelta]) -> Iterator[Watcher]:
        """Add a reader from number `after` on, until the context is left."""
        # No await between these: a reader must neither miss an event nor see one twice.
        running = [
            ToolProgress(id=id, text=text, skipped=size - len(text)) for id, (text, size) in self._outputs.items()
        ]
        costs = [cost for cost in self._costs if cost.turn > after]
        present = encode_many([Live(last_seq=self.log.last_seq), *costs, *self.shown(unfinished), *running])
        watcher = Watcher(self.read, after, upto=self.log.last_seq, present=present)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _publish(self, line: bytes, *, words: bool = False) -> None:
        for watcher in self._watchers:
            watcher.offer(line, words=words)


def _array(lines: list[bytes]) -> bytes:
    return b"[" + b",".join(lines) + b"]"
