"""The overview behind one open page: read when the page is built, then changed by the runners' news."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

from core.domain.errors import NotFound, Unavailable
from core.domain.records import UserId
from core.lib.pubsub import Lagging, Subscription
from core.protocol.runner_api import SessionChange
from core.services.overview import Overview
from ui.layout.services import Services

log = logging.getLogger("oma.pages")

SETTLE_S = 0.2  # news that come together are one refresh
AGAIN_S = 1.0  # a Store that was away is asked again after this
REREAD_S = 60.0  # news after this read everything again: another web process may have changed a record
CATCH_UP = 8  # sessions read one by one; of more, everything is read at once

Read = Callable[[], Awaitable[Overview]]


class LiveOverview:
    """`load` while the page is built, `follow` from the moment it is open in a browser, `close` when it is gone."""

    def __init__(
        self,
        services: Services,
        *,
        user: UserId,
        show: Callable[[], Awaitable[None]],
        fail: Callable[[Exception], None],
    ) -> None:
        self._agents, self._conversations, self._user = services.agents, services.conversations, user
        self._show, self._fail = show, fail
        self._read: Read = lambda: self._agents.overview_of_requests(user=user)
        self._held = AsyncExitStack()
        self._news: Subscription[SessionChange] | None = None
        self._value: Overview | None = None
        self._read_at = 0.0

    @property
    def value(self) -> Overview:
        """The overview as of now; empty until it was read."""
        return self._value or Overview(agents=(), sessions=(), requests=())

    async def load(self, read: Read | None = None) -> None:
        """Read the overview, by `read` from now on if it is given. Raises: what `read` raises."""
        self._read = read or self._read
        await self._subscribe()  # before reading, so that no change is missed
        self._value = await self._read()
        self._read_at = asyncio.get_running_loop().time()

    async def follow(self) -> None:
        """Show what is new, until cancelled."""
        news = await self._subscribe()
        wait_s = None if self._value else 0.0
        while True:
            try:
                await self._take_in(await _gathered(news, wait_s))
                wait_s = None
            except Unavailable:
                log.warning("a page could not be refreshed", exc_info=True)
                self._value, wait_s = None, AGAIN_S
            except Exception as error:  # an update that cannot be shown must not stop the next ones
                log.exception("a page could not show what is new")
                self._fail(error)
                wait_s = None

    async def close(self) -> None:
        """Unsubscribe from the news."""
        await self._held.aclose()

    async def _subscribe(self) -> Subscription[SessionChange]:
        if self._news is None:
            self._news = await self._held.enter_async_context(self._conversations.changes(user=self._user))
        return self._news

    async def _take_in(self, changes: list[SessionChange] | None) -> None:
        """Apply and show these changes; None means that some were missed, so that everything is read again."""
        old = asyncio.get_running_loop().time() - self._read_at > REREAD_S
        records_changed = changes is None or not all(change.session for change in changes)
        if self._value is None or records_changed or old:
            await self.load()
        else:
            await self._apply(self._value, changes or [])
        await self._show()

    async def _apply(self, overview: Overview, changes: list[SessionChange]) -> None:
        behind: set[str] = set()
        for change in changes:
            if overview.apply(change):
                behind.add(change.session)
        if len(behind) > CATCH_UP:
            await self.load()
            return
        for session in behind:
            with suppress(NotFound):  # deleted meanwhile, which is news too
                await self._agents.catch_up(overview, session, user=self._user)


async def _gathered(news: Subscription[SessionChange], wait_s: float | None) -> list[SessionChange] | None:
    """The news until SETTLE_S after the first piece, waiting `wait_s` at most; None: some were missed."""
    changes: list[SessionChange] = []
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                changes.append(await anext(news))
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S if wait_s != 0.0 else 0.0):
                while True:
                    changes.append(await anext(news))
    except Lagging:
        return None
    return changes
