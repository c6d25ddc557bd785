"""Switches model, effort and permission mode of a session while it goes on, and reads what its CLI offers."""

import asyncio
import logging
from typing import Any, Final

from core.domain.agent_definition import checked
from core.domain.audit import AuditAction
from core.domain.errors import Conflict, NotFound
from core.domain.events import TurnFinished
from core.domain.records import Agent, Session, UserId, new_session_id, now
from core.fleet.runner_client import RunnerClient
from core.fleet.runner_pool import RunnerPool
from core.protocol.runner_api import CliInfo
from core.services.audit import Audit
from core.services.conversations import Conversations
from core.store import Store

log = logging.getLogger("oma.session_controls")

READY_S: Final = 15.0  # for a CLI that sleeps to say what it can do; it takes a second or two
LOOK_S: Final = 0.2


class SessionControls:
    """The record of the session says what was chosen; the gateway tells it every CLI that starts."""

    def __init__(self, *, store: Store, runners: RunnerPool, conversations: Conversations, audit: Audit) -> None:
        self._store, self._runners, self._audit = store, runners, audit
        self._conversations = conversations

    async def choose(self, session: str, *, user: UserId, **chosen: str) -> Session:
        """Choose `model`, `effort` or `permission_mode` for this session; empty: as the agent's record says.

        Raises: NotFound, BadInput. RunnerUnavailable: it is chosen, but the CLI that is there does not know yet.
        """
        checked({name: value for name, value in chosen.items() if value})
        fields: dict[str, Any] = {f"chosen_{name.removeprefix('permission_')}": value for name, value in chosen.items()}
        before = await self._store.get(Session, session, owner=user)
        after = await self._store.change(Session, session, owner=user, **fields)
        if after.chosen_mode != before.chosen_mode:
            agent = await self._store.get(Agent, after.agent, owner=user)
            detail = f"{after.chosen_mode or agent.permission_mode} in session {session}"
            await self._audit.record(AuditAction.MODE_CHANGED, who=user, about=agent.id, detail=detail)
        self._runners.changes.records(user)
        if runner := self._runners.running(user):
            await self._refresh(runner, session)
        return after

    async def _refresh(self, runner: RunnerClient, session: str) -> None:
        try:
            await runner.refresh_settings(session)
        except NotFound:
            log.info("session %s is in no box yet: its first CLI starts with what was chosen", session)

    async def branch(self, session: str, *, user: UserId, after: int) -> Session:
        """Open a session of the same agent that knows what this one knew when the turn that ended as number `after`
        was over. The folder is the agent's own, as it is now.

        Raises: NotFound: there is no such turn. Conflict: nothing was answered in it, or an older version ran it.
        """
        found = await self._store.get(Session, session, owner=user)
        events = await self._store.events(session, owner=user, after=after - 1, limit=1)
        end = next((event for event in events if isinstance(event, TurnFinished)), None)
        if end is None:
            raise NotFound(f"turn {after}")
        if not end.anchor:
            raise Conflict("nothing can branch from this turn", code="no_branch")
        at = now()
        made = Session(
            id=new_session_id(), agent=found.agent, locale=found.locale, kind=found.kind, created_at=at, updated_at=at,
            branch_of=session, branch_at=end.anchor, chosen_model=found.chosen_model, chosen_effort=found.chosen_effort,
            chosen_mode=found.chosen_mode,
        )  # fmt: skip
        await self._store.create(made, owner=user)
        self._runners.changes.records(user)
        return made

    async def cli_info(self, session: str, *, user: UserId) -> CliInfo:
        """Return what the session's CLI offers, after starting it if it sleeps; within READY_S, else nothing.

        Raises: NotFound, RunnerUnavailable.
        """
        info = await self._conversations.cli_info(session, user=user)
        if info.ready:
            return info
        await self._conversations.warm(session, user=user)
        for _ in range(round(READY_S / LOOK_S)):
            await asyncio.sleep(LOOK_S)
            info = await self._conversations.cli_info(session, user=user)
            if info.ready:
                break
        return info
