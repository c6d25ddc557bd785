"""The transcript as one element. Its content goes to the browser as small changes, outside NiceGUI's own tree.

(Every NiceGUI update renders the whole page again: 17 ms of browser time at 500 elements, for each word.)
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
from nicegui import __version__, background_tasks, ui
from nicegui.dependencies import libraries
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.domain.errors import PlatformError
from core.domain.events import AnyEvent, UserSaid, seq_of
from core.domain.records import now
from core.protocol.runner_api import ChangeQueue
from ui.layout.i18n import Translations
from ui.transcript.reducer import TranscriptReducer
from ui.transcript.shared_view import Push, ViewCursor

# Drawing functions that several elements import. By one absolute path, or NiceGUI would register the file twice.
ITEMS_JS: Final = Path(__file__).with_name("oma_items.js")

JUMP_PAGES: Final = 50  # of 200 events each
Older = Callable[[int], Awaitable[list[AnyEvent]]]
ChangeQueued = Callable[[ChangeQueue], Awaitable[None]]
QUEUE_LABELS: Final = "up down steer edit remove save cancel".split()
LABELS: Final = "copy copied earlier new end sending retry again edit handover branch edit_said in_s s m h".split()


class Transcript(Element, component="transcript.js", dependencies=[ITEMS_JS, "oma_queue.js", "oma_branch.js"]):
    """A tab's element on a shared view. `listeners` are elements whose `meta` method gets the values around it."""

    def __init__(
        self,
        cursor: ViewCursor,
        *,
        words: Translations,
        older: Older,
        again: Callable[[UserSaid, int], Awaitable[int]],
        handover: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
        listeners: list[Element],
        hello: dict[str, Any],
        queue: ChangeQueued | None = None,
    ) -> None:
        """`again` repeats a message after the failed turn that ended with this number; `handover` continues in a new
        session.

        `hello` is the content of an empty transcript: `title`, `text`, and `starters` of `{text, say, icon}`.
        """
        super().__init__()
        self._cursor, self._words, self._older, self._listeners = cursor, words, older, listeners
        self._again, self._fail, self._change_queue = again, fail, queue
        self._online = asyncio.Event()
        first = cursor.now()
        self._first_seq, self._orphans = cursor.view.first_seq, list(cursor.view.orphans)
        # nosemgrep: raw-html  # addresses of our own files
        ui.add_head_html(_preloads())
        # In the page itself, so that the text is there before the socket is. Never updated: it would be sent again.
        self.props["start"] = self._start(first)
        self.props["words"] = {label: words.t(f"transcript.{label}") for label in LABELS}
        self.props["hello"] = hello
        self.props["queue"] = {label: words.t(f"queue.{label}") for label in QUEUE_LABELS} if queue else None
        self._listen(handover)
        if self.client.has_socket_connection:  # created in an open page, as in a run's page when the run begins
            self._online.set()
        self.client.on_connect(self._online.set)
        self.client.on_disconnect(self._online.clear)
        task = background_tasks.create(self._pump(), name="transcript", context=self.client)
        self.client.on_delete(task.cancel)

    def _listen(self, handover: Callable[[], Awaitable[None]]) -> None:
        self.on("sync", self._sync)
        self.on("queue", self._queue_changed)
        self.on("earlier", self._earlier, args=[])
        self.on("again", self._retried)
        self.on("handover", handover, args=[])

    def open_files(self, open_file: Callable[[str], Awaitable[None]]) -> None:
        """Make the files that the agent names links; `open_file` gets the path as the agent wrote it."""
        self.props["files"] = True
        self.on("file", lambda event: open_file(str(event.args)))

    def branches(self, branch: Callable[[int], Awaitable[None]], edit: Callable[[int], Awaitable[None]]) -> None:
        """Offer to `branch` after each turn, and to `edit` each message of the user: by the number of its event."""
        self.props["branches"] = True
        self.on("branch", lambda event: branch(int(event.args)))
        self.on("edit", lambda event: edit(int(event.args)))

    def _start(self, push: Push) -> dict[str, Any]:
        return {
            "n": push.n,
            "seq": push.last_seq,
            "first": self._first_seq,
            "ops": msgspec.json.decode(push.ops),
            "meta": msgspec.to_builtins(push.meta),
            "now": now().isoformat(),
        }

    async def _pump(self) -> None:
        """Send changes while the browser is connected."""
        while not self.is_deleted:
            push = await self._cursor.next() if self._online.is_set() else None
            if push is None or not self._online.is_set():
                if push is not None:
                    self._cursor.restart(push.base)
                await self._online.wait()
                continue
            self._send(push)
            for fault in self._cursor.new_faults()[-1:]:
                self._fail(fault)
            if self._cursor.view.ended:
                return

    def _send(self, push: Push) -> None:
        if push.base == 0:
            self._first_seq, self._orphans = self._cursor.view.first_seq, list(self._cursor.view.orphans)
        self._run(f'runMethod({self.id},"push",[{push.base},{push.n},{push.last_seq},{push.ops},{self._first_seq}]);')
        if push.meta is not None:
            meta = msgspec.json.encode(push.meta).decode()
            # Sent separately, so that the words appear before anything else is redrawn.
            self._run("".join(f'runMethod({one.id},"meta",[{meta}]);' for one in [self, *self._listeners]))

    def _run(self, code: str) -> None:
        # Not run_javascript: it costs an id and a task for each of these, eleven times a second.
        # nosemgrep: built-javascript  # numbers and JSON
        self.client.outbox.enqueue_message("run_javascript", {"code": code}, self.client.id)

    def _sync(self, event: GenericEventArguments) -> None:
        """Handle the browser's report that a push is missing."""
        has = event.args if isinstance(event.args, int) else 0
        self._cursor.restart(has)

    async def _retried(self, event: GenericEventArguments) -> None:
        """Retry the failed turn, unless another tab has done so."""
        failed = self._cursor.view.failed
        if failed is None or failed[0].seq != event.args:
            return
        try:
            await self._again(failed[1], seq_of(failed[0]))
        except PlatformError as error:
            self._fail(error)
            self.run_method("retryable")

    async def _queue_changed(self, event: GenericEventArguments) -> None:
        """Change a waiting message, as somebody has pressed. What becomes of it comes with the session's events."""
        told = {key: str(value) for key, value in event.args.items()} if isinstance(event.args, dict) else {}
        try:
            change = msgspec.convert({**told, "message_id": told.get("id", "")}, ChangeQueue)
            if self._change_queue:
                await self._change_queue(change)
        except msgspec.ValidationError:
            return
        except PlatformError as error:
            self._fail(error)

    async def jump(self, seq: int) -> None:
        """Bring the message with this number into view; what is before the first one here is read, up to a bound."""
        for _ in range(JUMP_PAGES):
            if self._first_seq <= max(1, seq):
                break
            await self._earlier()
        self.run_method("jump", seq)

    async def _earlier(self) -> None:
        """Return the 200 events before the first one here."""
        if self._first_seq <= 1:
            return
        events = await self._older(self._first_seq)
        reducer = TranscriptReducer(self._words)
        await asyncio.to_thread(_take_all, reducer, [*events, *self._orphans])
        reducer.settle()
        reducer.drain()
        self._first_seq = reducer.first_seq if events else 1
        self._orphans = [*reducer.orphans]
        self.run_method("earlier", msgspec.to_builtins(reducer.snapshot()), self._first_seq)


def _take_all(reducer: TranscriptReducer, events: list[AnyEvent]) -> None:
    for event in events:
        reducer.apply(event)


def _preloads() -> str:
    """Return preload links for modules that import each other, so that the browser loads them at once."""
    static = f"/_nicegui/{__version__}"
    urls = [f"{static}/libraries/{key}" for key, library in libraries.items() if library.name.startswith("oma_")]
    return "".join(f'<link rel="modulepreload" href="{url}">' for url in [f"{static}/static/dompurify.mjs", *urls])
