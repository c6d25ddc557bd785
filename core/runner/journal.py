"""One session's log, the state that follows from it, and its readers. An event is stored first and only then shown."""

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
from core.runner.log import EventLog, Scanned
from core.runner.session_projection import SessionProjection
from core.runner.todos import Checklist

QUEUE_EVENTS = 2_000  # a reader that lags further comes back with its number instead of eating our memory
FRAME_EVENTS = 200
OUTPUT_CHARS = 8_000  # of a running command: as much as a reader who comes late is shown
COSTS = 500  # of turns, which readers are told who come later than they were known
PACE_S = 0.03  # between frames while words are all there is to tell: each frame costs the reader a look


class ReaderLagging(Exception):
    """This reader's queue ran over."""


class Watcher:
    """One reader: everything stored after its number, then the present, then what happens."""

    def __init__(self, log: EventLog, after: int, present: bytes) -> None:
        self._log, self._after, self._upto, self._present = log, after, log.last_seq, present
        self._lines: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0  # of the loop's clock: before that, words wait for more
        self._words = self._lagging = False

    def offer(self, line: bytes, *, words: bool = False) -> None:
        """`words`: more of a text, which may wait for what follows. The first ones do not."""
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

    What is `known` to be secret is neither stored nor shown; what the session does next still knows it.
    """

    def __init__(
        self, session: str, log: EventLog, events: list[AnyEvent], stored: Callable[[], None], known: KnownSecrets
    ) -> None:
        self.session, self.log = session, log
        self.projection = SessionProjection()
        self._stored, self._redactor = stored, EventRedactor(known)
        self._todos = Checklist()
        self._outputs: dict[str, tuple[str, int]] = {}  # tool call → end of what it has printed, and all its characters
        self._watchers: set[Watcher] = set()
        self.before_shown: Callable[[TextDelta], None] = lambda _: None  # called with words that are about to be shown
        self._costs: deque[TurnCost] = deque(maxlen=COSTS)
        for event in events:
            self.projection.apply(event)
            self._todos.apply(event)

    @property
    def watched(self) -> bool:
        return bool(self._watchers)

    def record(self, event: AnyEvent) -> int:
        """Store, then show. The event's number.

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
            self._outputs.clear()  # with the CLI its commands have ended
        todos = self._todos.apply(stored)
        if todos is not None:
            self.record(todos)
        self._stored()
        return seq_of(stored)

    def adopt(self, draft: Path, scanned: Scanned) -> None:
        """Go on with another log in the place of this one. Raises: OSError: nothing has changed."""
        self.log.become(draft, scanned.ends)
        projection, self._todos = SessionProjection(), Checklist()
        for event in scanned.events:
            projection.apply(event)
            self._todos.apply(event)
        self.projection.replace_with(projection)
        for watcher in self._watchers:
            watcher.end()
        self._costs.clear()

    def tell(self, problem: str) -> None:
        """A notice of something that is wrong; where even that cannot be stored, there is nobody left to tell."""
        with suppress(StoreUnavailable):
            self.record(Notice(level="error", text=problem))

    def show(self, event: AnyEvent) -> None:
        """To those who look on now; it is not stored."""
        shown = self._redactor.shown(event)  # also when nobody looks: it keeps what waits for the next piece
        if isinstance(shown, ToolProgress) and shown.text:
            text, size = self.output(shown.id)
            size += shown.skipped + len(shown.text)
            self._outputs[shown.id] = (text + shown.text)[-OUTPUT_CHARS:], size
        if isinstance(shown, TextDelta):
            self.before_shown(shown)
        if self._watchers and shown is not None:
            self._publish(encode(shown), words=isinstance(shown, TextDelta | ThinkingDelta))

    def tell_cost(self, cost: TurnCost) -> None:
        """What a turn of the log cost: the gateway says it later than the turn ends."""
        if all(known.turn != cost.turn for known in self._costs):
            self._costs.append(cost)
            self.show(cost)

    def shown(self, unfinished: list[TextDelta | ThinkingDelta]) -> list[TextDelta | ThinkingDelta]:
        """Unfinished blocks as far as they may be seen by now, by a late reader or on disk."""
        return self._redactor.unfinished(unfinished)

    def output(self, tool_id: str) -> tuple[str, int]:
        """(the end of what this running command has printed, about how many characters it has printed in all)."""
        return self._outputs.get(tool_id, ("", 0))

    def become(self, state: SessionState, turn: str = "") -> None:
        """The session's state, and the turn that is open in it; says nothing if nothing changes.

        Raises: Conflict: the state table does not allow it.
        """
        if state is not self.projection.state or turn != self.projection.turn:
            self.record(StateChanged(state=step(self.projection.state, state), turn=turn))

    @contextmanager
    def watch(self, after: int, unfinished: list[TextDelta | ThinkingDelta]) -> Iterator[Watcher]:
        """A reader from number `after` on, until the context is left."""
        # No await between these: a reader must neither miss an event nor see one twice.
        running = [
            ToolProgress(id=id, text=text, skipped=size - len(text)) for id, (text, size) in self._outputs.items()
        ]
        costs = [cost for cost in self._costs if cost.turn > after]
        present = encode_many([Live(last_seq=self.log.last_seq), *costs, *self.shown(unfinished), *running])
        watcher = Watcher(self.log, after, present)
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
