"""Recovery after a runner died: its successor ends or continues what was open, unless it dies again and again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from core.domain.errors import NotFound, PlatformError
from core.domain.records import Session, UserId
from core.domain.states import OPEN_TURN, SessionState
from core.fleet.runner_client import RunnerClient, opening
from core.lib.pubsub import Hub
from core.protocol.runner_api import SessionChange
from core.store import Store

log = logging.getLogger("oma.recovery")

TRIES = 3  # deaths within WINDOW_S after which a user's box is not started until it is needed
WINDOW_S = 300.0
SESSIONS = 200
AT_REST = (SessionState.ASLEEP, SessionState.FAILED)


class Recovery:
    """The recovery of a web process. It counts the deaths of each user's runners."""

    def __init__(
        self, *, store: Store, changes: Hub[SessionChange], runner_of: Callable[[UserId], Awaitable[RunnerClient]]
    ) -> None:
        self._store, self._changes, self._runner_of = store, changes, runner_of
        self._deaths: dict[UserId, list[float]] = {}

    async def after_death(self, user: UserId) -> None:
        """Start a successor, which ends or continues the sessions that the dead runner left open.

        The runner's log knows more than the Store, so a successor starts even if the Store says that nothing was open.
        After TRIES deaths within WINDOW_S none is started, and the open sessions are marked as failed.
        """
        clock = asyncio.get_running_loop().time()
        deaths = [at for at in self._deaths.get(user, []) if clock - at < WINDOW_S]
        self._deaths[user] = [*deaths, clock]
        sessions = await self._store.find(Session, owner=user, newest_by="updated_at", limit=SESSIONS)
        awake = [session for session in sessions if session.state not in AT_REST]
        if len(deaths) >= TRIES:
            for session in awake:
                await self._settle(session, user)
            return
        try:
            client = await self._runner_of(user)
            for session in awake:
                await client.open(session.id, opening(session))
        except PlatformError as error:
            log.warning("recovery for %s: %s", user, error)

    async def _settle(self, session: Session, user: UserId) -> None:
        """Set the state of a session that no runner will end: failed if it worked, else asleep."""
        state = SessionState.FAILED if session.state in OPEN_TURN else SessionState.ASLEEP
        try:
            await self._store.change(Session, session.id, owner=user, state=state)
        except NotFound:
            return
        self._changes.publish(user, SessionChange(session=session.id, agent=session.agent, state=state))
