"""An administrator's announcement: one sentence at the head of every page until it is removed."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from core.domain.audit import AuditAction
from core.domain.errors import BadInput, NotFound, StoreUnavailable
from core.domain.records import SYSTEM, Announcement, UserId, now
from core.lib.tasks import repeat
from core.services.audit import Audit
from core.store import Store

log = logging.getLogger("oma.announcements")

CHARS = 500
LOOK_S = 5.0  # between reads: another web process may have set it
ID = "announcement"


class Announcements:
    """Keeps `text` up to date while the context is open, and tells watchers about every change."""

    def __init__(self, *, store: Store, audit: Audit) -> None:
        self._store, self._audit = store, audit
        self._watchers: set[Callable[[str], None]] = set()
        self._task: asyncio.Task[None] | None = None
        self.text = ""

    async def __aenter__(self) -> "Announcements":
        await self._read()
        self._task = asyncio.create_task(repeat(self._look, every_s=LOOK_S, name="announcements"))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def announce(self, text: str, *, by: UserId) -> None:
        """Show `text` to everybody; an empty text removes the announcement. Raises: BadInput: too long."""
        text = " ".join(text.split())
        if len(text) > CHARS:
            raise BadInput(f"an announcement has up to {CHARS} characters", code="bad_announcement")
        if text:
            await self._store.put(Announcement(text=text, at=now()), owner=SYSTEM)
        else:
            await self._store.delete(Announcement, ID, owner=SYSTEM)
        await self._audit.record(AuditAction.ANNOUNCED, who=by, detail=text)
        self._tell(text)

    def watch(self, watcher: Callable[[str], None]) -> Callable[[], None]:
        """Call `watcher` with the present text and at every change. Returns a function that ends this."""
        self._watchers.add(watcher)
        watcher(self.text)
        return lambda: self._watchers.discard(watcher)

    def _tell(self, text: str) -> None:
        if text != self.text:
            self.text = text
            for watcher in tuple(self._watchers):
                watcher(text)

    async def _look(self) -> None:
        try:
            await self._read()
        except StoreUnavailable as error:
            log.warning("the announcement could not be read: %s", error)

    async def _read(self) -> None:
        try:
            self._tell((await self._store.get(Announcement, ID, owner=SYSTEM)).text)
        except NotFound:
            self._tell("")
