"""Takes a snapshot of an agent's folder whenever one of its sessions begins a turn, and removes it with the session."""

import asyncio
import logging
import os
from contextlib import ExitStack, suppress
from pathlib import Path

from core.domain.errors import PlatformError
from core.lib.tasks import Tasks
from core.runner.changes.history import History
from core.runner.files.folder import PRIVATE, AgentFolder
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

    async def forget_session(self, session: str) -> None:
        """Remove the snapshots of a session that was deleted. Call it after that; one under way is waited for."""
        self._turns.pop(session, None)
        for agent in await asyncio.to_thread(self._agents):
            async with self._lock(agent):
                with suppress(OSError):
                    await asyncio.to_thread(History(self._home, agent).forget, session)

    async def forget_agent(self, agent: str) -> None:
        """Remove all that is kept for an agent that was deleted. Call it after that; a snapshot is waited for."""
        async with self._lock(agent):
            await asyncio.to_thread(AgentFolder(self._home, agent).forget, *PRIVATE)

    def _agents(self) -> list[str]:
        """The agents that have snapshots."""
        try:
            return os.listdir(self._home / ".oma" / "changes")
        except OSError:
            return []

    def _lock(self, agent: str) -> asyncio.Lock:
        return self._locks.setdefault(agent, asyncio.Lock())

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
        async with self._lock(agent):
            if session not in self._sessions.known:  # it was deleted meanwhile
                return
            try:
                await asyncio.to_thread(History(self._home, agent).begin_turn, session)
            except (OSError, PlatformError) as error:  # the turn goes on; its changes cannot be told
                log.warning("no snapshot of agent %s: %s", agent, error)
