"""Takes a snapshot of an agent's folder whenever one of its sessions begins a turn."""

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path

from core.domain.errors import PlatformError
from core.lib.tasks import Tasks
from core.runner.changes.history import History
from core.runner.sessions import Sessions

log = logging.getLogger("oma.changes")


class ChangeTracker:
    """Listens to all sessions of a runner. One snapshot of an agent is taken at a time."""

    def __init__(self, home: Path, sessions: Sessions) -> None:
        self._home, self._sessions, self._tasks = home, sessions, Tasks()
        self._listening = ExitStack()
        self._listening.enter_context(sessions.changes(self._changed))
        self._turns: dict[str, str] = {}  # session: the turn whose beginning was seen last
        self._locks: dict[str, asyncio.Lock] = {}

    async def close(self) -> None:
        """Listen no more, and give up snapshots that are under way."""
        self._listening.close()
        await self._tasks.cancel()

    def _changed(self, session: str) -> None:
        """Called at every event of a session; must not wait."""
        if session not in self._sessions.known:
            return
        projection = self._sessions.get(session).journal.projection
        if not projection.turn or projection.turn == self._turns.get(session):
            return
        self._turns[session] = projection.turn
        self._tasks.spawn(self._take(session, projection.agent), f"snapshot {session}")

    async def _take(self, session: str, agent: str) -> None:
        async with self._locks.setdefault(agent, asyncio.Lock()):
            try:
                await asyncio.to_thread(History(self._home, agent).begin_turn, session)
            except (OSError, PlatformError) as error:  # the turn goes on; its changes cannot be told
                log.warning("no snapshot of agent %s: %s", agent, error)
