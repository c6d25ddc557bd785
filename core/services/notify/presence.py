"""Knows who looks at a page at this moment: pages in front of a person say so every few seconds."""

from collections.abc import Callable
from datetime import datetime, timedelta

from core.domain.errors import NotFound
from core.domain.notifications import VisiblePage
from core.domain.records import UserId, now
from core.store import Store

FRESH = timedelta(seconds=45)  # a page that says nothing for longer is not looked at
WRITE_EVERY = timedelta(seconds=20)  # for the other web processes


class Presence:
    """The pages of this web process, and by the Store those of the others."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = now) -> None:
        self._store, self._clock = store, clock
        self._pages: dict[UserId, dict[str, datetime]] = {}
        self._written: dict[UserId, datetime] = {}

    async def saw(self, user: UserId, page: str) -> None:
        """A page of this user is in front of somebody now."""
        at = self._clock()
        self._pages.setdefault(user, {})[page] = at
        if at - self._written.get(user, at - WRITE_EVERY) >= WRITE_EVERY:
            self._written[user] = at
            await self._store.put(VisiblePage(seen_at=at), owner=user)

    async def left(self, user: UserId, page: str) -> None:
        """The page is hidden or closed."""
        pages = self._pages.get(user, {})
        if pages.pop(page, None) and not pages:
            self._pages.pop(user, None)
            if self._written.pop(user, None):
                await self._store.delete(VisiblePage, "visible_page", owner=user)

    async def is_visible(self, user: UserId) -> bool:
        """Return whether this user looks at a page of any web process. Raises: StoreUnavailable."""
        at = self._clock()
        if any(at - seen < FRESH for seen in self._pages.get(user, {}).values()):
            return True
        try:
            return at - (await self._store.get(VisiblePage, "visible_page", owner=user)).seen_at < FRESH
        except NotFound:
            return False
