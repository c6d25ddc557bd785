"""Search over everything that a user's conversations say."""

import asyncio
import re
from datetime import datetime
from typing import Final

import msgspec

from core.domain.errors import NotFound
from core.domain.events import AnyEvent, Text, UserSaid, seq_of
from core.domain.records import Session, UserId, now
from core.store import Store
from core.store.search_terms import marks

QUERY_CHARS: Final = 200
MOST: Final = 50
AROUND_CHARS: Final = 60  # of an excerpt, before and after the first match
READ_AT_ONCE: Final = 8


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message that fits. `excerpt` is one line of it; `marked` are the places in it that were asked for, as pairs of
    begin and end.
    """

    session: str
    agent: str
    title: str
    run: str
    seq: int
    at: datetime
    by: str  # user or assistant
    excerpt: str
    marked: tuple[tuple[int, int], ...]


class Search:
    """Reads the Store only: it works while the boxes sleep."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, query: str, *, user: UserId, session: str = "", limit: int = 20) -> list[Found]:
        """Return the user's newest messages that have all words of `query`, newest first; of one session if it is
        named. The words may be incomplete. Raises: NotFound: the session.
        """
        if session:
            await self._store.get(Session, session, owner=user)
        asked = query[:QUERY_CHARS]
        found = await self._store.search_messages(asked, owner=user, session=session, limit=min(limit, MOST))
        sessions = await self._sessions({each for each, _ in found}, user=user)
        return [_found(sessions[each], event, asked) for each, event in found if each in sessions]

    async def _sessions(self, ids: set[str], *, user: UserId) -> dict[str, Session]:
        """Return the sessions that are still there."""
        turns = asyncio.Semaphore(READ_AT_ONCE)

        async def read(id: str) -> Session | None:
            async with turns:
                try:
                    return await self._store.get(Session, id, owner=user)
                except NotFound:
                    return None

        return {one.id: one for one in await asyncio.gather(*map(read, ids)) if one is not None}


def _found(session: Session, event: AnyEvent, query: str) -> Found:
    text = event.text if isinstance(event, UserSaid | Text) else ""
    excerpt, marked = excerpt_of(text, query)
    return Found(
        session=session.id,
        agent=session.agent,
        title=session.title,
        run=session.run,
        seq=seq_of(event),
        at=event.at or now(),
        by="user" if isinstance(event, UserSaid) else "assistant",
        excerpt=excerpt,
        marked=marked,
    )


def excerpt_of(text: str, query: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return one line of a text around the first place that was asked for, and the places in it."""
    line = re.sub(r"\s+", " ", text).strip()
    places = marks(line, query)
    start = max(0, places[0][0] - AROUND_CHARS) if places else 0
    end = min(len(line), (places[0][1] if places else 0) + 2 * AROUND_CHARS)
    lead = "…" if start else ""
    cut = lead + line[start:end] + ("…" if end < len(line) else "")
    shift = len(lead) - start
    return cut, tuple((begin + shift, stop + shift) for begin, stop in places if start <= begin and stop <= end)
