"""The live view of one session, reduced and rendered once for all tabs that show it.

Changes leave in numbered batches. Each tab is a cursor in them: it waits for what is newer than it has seen, and one
that lags behind the batches kept here starts over with a snapshot.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

import msgspec

from core.domain.errors import PlatformError
from core.domain.events import (
    AnyEvent,
    Asked,
    StateChanged,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolProgress,
    TurnFinished,
    UserSaid,
)
from core.domain.states import SessionState
from ui.layout.i18n import Translations
from ui.transcript import markdown, ops
from ui.transcript.reducer import Meta, TranscriptReducer

log = logging.getLogger("oma.transcript")

STEADY_S: Final = 0.09  # between changes while a text is being written (11 Hz); each costs the browser a frame
BURST_S: Final = 0.01  # stored events that come in a burst are sent together
OPENING_S: Final = 0.1  # the mere beginning of a turn waits for its first words; the sender's page shows it already
BATCHES: Final = 128  # kept for lagging tabs: ten seconds of streaming
OPEN_STATES: Final = (SessionState.STARTING, SessionState.BUSY)
PROSE: Final = (Text, Asked)  # events with Markdown
LARGE: Final = 4_000  # characters; longer texts are rendered beside the event loop

Listener = Callable[[Sequence[AnyEvent]], None]
Follow = Callable[[], AbstractAsyncContextManager[AsyncIterator[list[AnyEvent]]]]


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """A message to a tab: `ops` (JSON) lead from batch `base` to batch `n`; base 0 means to start from nothing."""

    base: int
    n: int
    last_seq: int
    ops: str
    meta: Meta | None


class SharedView:
    """The view of one session. It is live while `run` runs; `arrived` is set once it has the history."""

    def __init__(
        self,
        *,
        follow: Follow,
        make_reducer: Callable[[Callable[[str], str]], TranscriptReducer],
        steady_s: float = STEADY_S,
    ) -> None:
        self._follow, self._steady_s = follow, steady_s
        self._rendered: dict[str, str] = {}
        self._reducer = make_reducer(self._render)
        self._batches: deque[tuple[int, str, Meta | None]] = deque(maxlen=BATCHES)
        self._cursors: set[ViewCursor] = set()
        self._listeners: set[Listener] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0
        self._sent_seq = 0
        self._meta = self._reducer.meta()
        self.n = 1
        self.arrived = asyncio.Event()
        self.ended = False
        self.faults: list[PlatformError] = []  # errors that the tabs have to show

    async def run(self) -> None:
        """Follow the session until it is deleted, until it cannot be followed (`fault`), or this is cancelled."""
        try:
            async with self._follow() as batches:
                async for batch in batches:
                    await self._take(batch)
        except PlatformError:
            raise
        except Exception as error:  # noqa: BLE001  # the tabs show it; a new page follows again
            self._failed("the session cannot be followed any more", error, code="view_ended")
        finally:
            self.ended = True
            self.arrived.set()
            self._flush()
            if self._timer:
                self._timer.cancel()

    @property
    def meta(self) -> Meta:
        """The values around the transcript as of the last batch."""
        return self._meta

    @property
    def first_seq(self) -> int:
        """The number of the oldest event shown."""
        return self._reducer.first_seq

    @property
    def orphans(self) -> list[AnyEvent]:
        """Events that refer to something older than the events shown."""
        return self._reducer.orphans

    @property
    def failed(self) -> tuple[TurnFinished, UserSaid] | None:
        """The end and the message of the last turn, if it failed and nothing came after; else None."""
        return self._reducer.failed

    def join(self) -> "ViewCursor":
        """Open a cursor for a new tab."""
        cursor = ViewCursor(self)
        self._cursors.add(cursor)
        return cursor

    def leave(self, cursor: "ViewCursor") -> None:
        """Forget the cursor of a tab that has closed."""
        self._cursors.discard(cursor)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every batch of events from now on, until the returned function is called."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    @property
    def watched(self) -> bool:
        """True while any tab shows this view."""
        return bool(self._cursors)

    def snapshot(self) -> Push:
        """Return everything as of now."""
        self._flush()
        whole = ops.encode(self._reducer.snapshot())
        return Push(base=0, n=self.n, last_seq=self._reducer.last_seq, ops=whole, meta=self._meta)

    def since(self, n: int) -> Push:
        """Return the changes after batch `n`, or a snapshot if those are no longer kept."""
        if n <= 0 or n > self.n or (n < self.n and (not self._batches or self._batches[0][0] > n + 1)):
            return self.snapshot()
        newer = [batch for batch in self._batches if batch[0] > n]
        meta = next((meta for _, _, meta in reversed(newer) if meta is not None), None)
        joined = "[].concat(" + ",".join(text for _, text, _ in newer) + ")"
        return Push(base=n, n=self.n, last_seq=self._reducer.last_seq, ops=joined, meta=meta)

    async def _take(self, batch: list[AnyEvent]) -> None:
        texts = [event.plan if isinstance(event, Asked) else event.text for event in batch if isinstance(event, PROSE)]
        if len(batch) > 50 or any(len(text) > LARGE for text in texts):
            self._rendered = await asyncio.to_thread(_rendered, texts)
        for at, event in enumerate(batch):
            try:
                self._reducer.apply(event)
            except Exception as error:  # noqa: BLE001  # one bad event must not end the view
                self._failed(f"event {event.seq} cannot be shown", error)
            if at % 50 == 49:
                await asyncio.sleep(0)
        self._rendered = {}
        if not self.arrived.is_set():
            self._flush()
            self.arrived.set()
        elif batch:
            self._schedule(batch)
            for listener in tuple(self._listeners):
                listener(batch)

    def _render(self, text: str) -> str:
        return self._rendered.get(text) or markdown.render(text)

    def _schedule(self, batch: list[AnyEvent]) -> None:
        """Send the first delta of a text and all other events at once, and further deltas at a steady pace."""
        steady = all(isinstance(event, TextDelta | ThinkingDelta | ToolProgress) for event in batch)
        pace = self._steady_s if steady and not self._reducer.fresh else BURST_S
        loop = asyncio.get_running_loop()
        due = self._flushed_at + pace
        if all(map(_opening, batch)):
            due = max(due, loop.time() + OPENING_S)
        if due <= loop.time():
            self._flush()
        elif self._timer is None or self._timer.when() > due:
            if self._timer:
                self._timer.cancel()
            self._timer = loop.call_at(due, self._flush)

    def _failed(self, what: str, error: Exception, *, code: str = "not_shown") -> None:
        """Tell all tabs that something is missing here; the view continues."""
        log.error("%s", what, exc_info=error)
        self.faults.append(PlatformError(what, code=code))
        for cursor in self._cursors:
            cursor.news.set()

    def _flush(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        try:
            self._send()
        except Exception as error:  # noqa: BLE001  # a timer calls this, so nobody else would see the error
            self._failed("what is new cannot be shown", error)

    def _send(self) -> None:
        changed = self._reducer.drain()
        meta = self._reducer.meta()
        news = meta if meta != self._meta else None
        if not changed and news is None and self._reducer.last_seq == self._sent_seq:
            return
        self._meta, self._sent_seq = meta, self._reducer.last_seq
        self._flushed_at = asyncio.get_running_loop().time()
        self.n += 1
        self._batches.append((self.n, ops.encode(changed), news))
        for cursor in self._cursors:
            cursor.news.set()


def _rendered(texts: list[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        with suppress(Exception):  # it is rendered again in its place, where the error is reported
            found[text] = markdown.render(text)
    return found


def _opening(event: AnyEvent) -> bool:
    """True for events that only announce a turn: drawing them at once would take CPU from the CLI beside us."""
    return isinstance(event, UserSaid) or (isinstance(event, StateChanged) and event.state in OPEN_STATES)


class ViewCursor:
    """The position of one tab in the batches of a view."""

    def __init__(self, view: SharedView) -> None:
        self.view = view
        self.news = asyncio.Event()
        self._seen = self._told = 0

    def restart(self, n: int = 0) -> None:
        """Go back to batch `n`, the last one that the tab has."""
        self._seen = n
        self.news.set()

    async def next(self) -> Push:
        """Wait for changes or errors that this tab does not have yet."""
        while self._seen == self.view.n and self._told == len(self.view.faults):
            self.news.clear()
            await self.news.wait()
        return self.now()

    def new_faults(self) -> list[PlatformError]:
        """Return the errors since the last call."""
        new, self._told = self.view.faults[self._told :], len(self.view.faults)
        return new

    def now(self) -> Push:
        """Return what this tab does not have yet, without waiting."""
        push = self.view.since(self._seen)
        self._seen = push.n
        return push


class SharedViews:
    """All live views of this web process, by session and language. A view outlives its last tab by some seconds."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, Translations], SharedView] = {}
        self._tasks: dict[SharedView, asyncio.Task[None]] = {}

    def subscribe(
        self,
        session: str,
        words: Translations,
        make: Callable[[], SharedView],
        spawn: Callable[[SharedView], "asyncio.Task[None]"],
    ) -> ViewCursor:
        """Return a cursor on this session's view, which is made and started for the first tab."""
        key = (session, words)
        view = self._open.get(key)
        if view is None or view.ended:
            view = self._open[key] = make()
            self._tasks[view] = spawn(view)
        return view.join()

    def leave(self, cursor: ViewCursor, *, linger_s: float = 5.0) -> None:
        """Forget a tab; the view stays for `linger_s` seconds, so that a reload finds it rendered."""
        cursor.view.leave(cursor)
        asyncio.get_running_loop().call_later(linger_s, self._close_if_empty, cursor.view)

    def _close_if_empty(self, view: SharedView) -> None:
        if view.watched:
            return
        task = self._tasks.pop(view, None)
        if task:
            task.cancel()
        for key in [key for key, one in self._open.items() if one is view]:
            del self._open[key]
