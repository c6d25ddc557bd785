"""The use cases about agents and their sessions, apart from talking: list, create, change, delete."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from core.agents.changes import Change, change_agent
from core.domain.agent_definition import NAME_CHARS, checked
from core.domain.agent_versions import AgentInstructions, AgentVersion
from core.domain.agent_wishes import AgentWishes
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NotFound
from core.domain.records import (
    Agent,
    Request,
    Session,
    UserId,
    derived_agent_id,
    derived_session_id,
    new_agent_id,
    new_session_id,
    now,
)
from core.domain.runs import LastRun
from core.domain.schedules import Trigger
from core.domain.visible_text import visible
from core.fleet.runner_pool import RunnerPool
from core.runs import deletion
from core.services.agent_effects import audited, is_narrower, starts_otherwise
from core.services.audit import Audit
from core.services.connections import ConnectionHistory
from core.services.overview import AgentSummary, Overview
from core.store import Store

log = logging.getLogger("oma.agents")

MANY = 1000  # agents or sessions read at once


class Agents:
    """Use cases over the Store. Every call names the user as owner, which is the permission check."""

    def __init__(self, *, store: Store, runners: RunnerPool, forget: Callable[[str], None], audit: Audit) -> None:
        self._store, self._runners, self._forget, self._audit = store, runners, forget, audit

    async def cards(self, *, user: UserId) -> list[AgentSummary]:
        """Return summaries of all agents, including archived ones, newest activity first."""
        return (await self.overview(user=user)).summaries()

    async def overview(self, *, user: UserId) -> Overview:
        """Return all agents with everything that the dashboard shows, in six reads for any number of agents."""
        agents, sessions, requests, triggers, last_runs = await asyncio.gather(
            self._store.find(Agent, owner=user, newest_by="updated_at", limit=MANY),
            self._store.find(Session, owner=user, newest_by="updated_at", limit=MANY),
            self.inbox(user=user),
            self._store.find(Trigger, owner=user, limit=MANY),
            self._store.find(LastRun, owner=user, limit=MANY),
        )
        costs = await self._costs([agent.id for agent in agents], user=user)
        return Overview(
            agents=agents, sessions=sessions, requests=requests, costs=costs, triggers=triggers, last_runs=last_runs,
            whole=True,
        )  # fmt: skip

    async def overview_of(self, agent: str, *, user: UserId) -> Overview:
        """Return one agent with its sessions (empty if it does not exist), and the open requests of all agents."""
        try:
            agents = [await self.get(agent, user=user)]
        except NotFound:
            agents = []
        sessions, requests = await asyncio.gather(self.sessions(agent, user=user), self.inbox(user=user))
        return Overview(agents=agents, sessions=sessions, requests=requests)

    async def overview_of_requests(self, *, user: UserId) -> Overview:
        """Return only the user's open requests."""
        return Overview(agents=(), sessions=(), requests=await self.inbox(user=user))

    async def catch_up(self, overview: Overview, session: str, *, user: UserId) -> None:
        """Read the parts of a session that the runner's news does not have. Raises: NotFound: it was deleted."""
        requests = await self._store.find(Request, owner=user, where={"session": session}, limit=MANY)
        found = await self.session(session, user=user)
        named = (
            found.kind == "builder" or overview.agent(found.agent) is None
        )  # a builder session may have renamed its agent
        agent = await self.get(found.agent, user=user) if named and overview.covers(found.agent) else None
        costs = await self._costs([found.agent], user=user) if overview.whole else {}
        last_run = await self._last_run(found.agent, user=user) if overview.whole and found.run else None
        overview.replace(found, requests, agent=agent, costs=costs, last_run=last_run)

    async def _last_run(self, agent: str, *, user: UserId) -> LastRun | None:
        try:
            return await self._store.get(LastRun, agent, owner=user)
        except NotFound:
            return None

    async def _costs(self, agents: list[str], *, user: UserId) -> dict[str, float]:
        """Return the cost of each of these agents this month, in USD."""
        keys = {f"agent/{agent}/{now():%Y-%m}": agent for agent in agents}
        rows = await self._store.usage_of(tuple(keys), owner=user)
        return {keys[key]: row.get("cost_usd", 0.0) for key, row in rows.items()}

    async def index(self, *, user: UserId, sessions: int) -> tuple[list[Agent], list[Session]]:
        """Return all agents and the newest `sessions` sessions of any agent, newest first, for the search."""
        agents = await self._store.find(Agent, owner=user, newest_by="updated_at", limit=MANY)
        return agents, await self._store.find(Session, owner=user, newest_by="updated_at", limit=sessions)

    async def get(self, agent: str, *, user: UserId) -> Agent:
        """Return an agent. Raises: NotFound."""
        return await self._store.get(Agent, agent, owner=user)

    async def create(self, *, user: UserId, locale: str, key: str = "") -> tuple[Agent, Session]:
        """Create a draft agent and its builder session; the same idempotency `key` returns the first ones."""
        at = now()
        agent = Agent(id=derived_agent_id(user, key) if key else new_agent_id(), created_at=at, updated_at=at)
        try:
            await self._store.create(agent, owner=user)
        except Conflict:
            agent = await self.get(agent.id, user=user)
        else:
            await self._audit.record(AuditAction.AGENT_CREATED, who=user, about=agent.id)
        return agent, await self._open(agent, user=user, locale=locale, kind="builder", key=key)

    async def change(self, agent: str, *, user: UserId, **fields: Any) -> Agent:
        """Set fields of the definition, `archived` or `draft`, whatever others have changed meanwhile.

        Raises: as `apply`.
        """
        state = {name: fields.pop(name) for name in ("archived", "draft") if name in fields}
        values = checked(fields)
        return await self.apply(agent, lambda _: values | state, user=user)

    async def apply(self, agent: str, change: Change, *, user: UserId, revision: int | None = None) -> Agent:
        """Set what `change` returns for the agent as it is, and let all see it that the change concerns.

        Raises: NotFound. BadInput: from `change`. DefinitionChanged: it does not have this `revision`.
        RunnerUnavailable: it is changed, but a CLI may still decide by what was before.
        """
        before, after = await change_agent(self._store, agent, change, owner=user, revision=revision)
        if before is after:
            return after
        if after.name != before.name:
            await self._follow_name(before, after.name, user=user)
        for action, detail in audited(before, after):
            await self._audit.record(action, who=user, about=agent, detail=detail)
        self._runners.changes.records(user)
        if runner := self._runners.running(user):
            if is_narrower(before, after):
                await runner.end_clis(agent)  # they decide by what they started with
            elif starts_otherwise(before, after):
                await runner.renew_clis(agent)
        return after

    async def _follow_name(self, before: Agent, name: str, *, user: UserId) -> None:
        """Rename the builder sessions that got their agent's name automatically; titles given by hand stay."""
        for one in await self.sessions(before.id, user=user):
            if one.kind == "builder" and one.title == one.given_title == before.name:
                await self._store.change(Session, one.id, owner=user, title=name, given_title=name)

    async def remove_rule(self, agent: str, rule: str, *, user: UserId) -> None:
        """Remove a rule; from now on the agent asks again. CLIs that know the rule end.

        Raises: NotFound: the agent. RunnerUnavailable: the rule is removed, but a running CLI may still know it.
        """

        def without(found: Agent) -> dict[str, Any]:
            return {"rules": tuple(other for other in found.rules if other != rule)}

        await self.apply(agent, without, user=user)

    async def delete(self, agent: str, *, user: UserId) -> None:
        """Delete the agent's record, its sessions with their logs, and its folder in the box. Raises: NotFound."""
        await self.get(agent, user=user)
        runner = await self._runners.get_or_start(user)
        await runner.delete_agent(agent)
        for session in await self.sessions(agent, user=user):
            await self._delete_rows(session.id, user=user)
        await ConnectionHistory(self._store).delete_for_agent(agent, user=user)
        await deletion.delete_for_agent(self._store, agent, user=user)
        await self._store.delete_where(AgentVersion, owner=user, where={"agent": agent})
        await self._store.delete(AgentInstructions, agent, owner=user)
        await self._store.delete(AgentWishes, agent, owner=user)
        await self._store.delete(Agent, agent, owner=user)
        self._runners.changes.records(user)
        await self._audit.record(AuditAction.AGENT_DELETED, who=user, about=agent)

    async def sessions(self, agent: str, *, user: UserId) -> list[Session]:
        """Return the agent's sessions, newest first."""
        return await self._store.find(Session, owner=user, where={"agent": agent}, newest_by="updated_at", limit=MANY)

    async def session(self, session: str, *, user: UserId) -> Session:
        """Return a session. Raises: NotFound."""
        return await self._store.get(Session, session, owner=user)

    async def new_session(self, agent: str, *, user: UserId, locale: str, key: str = "") -> Session:
        """Open a session; the same idempotency `key` returns the first one. Raises: NotFound: the agent."""
        found = await self.get(agent, user=user)
        return await self._open(found, user=user, locale=locale, kind="builder" if found.draft else "chat", key=key)

    async def improve(self, agent: str, *, user: UserId, locale: str) -> Session:
        """Return the newest session in which the builder works on this agent, or open one. Raises: NotFound."""
        found = await self.get(agent, user=user)
        own = [session for session in await self.sessions(agent, user=user) if session.kind == "builder"]
        return own[0] if own else await self._open(found, user=user, locale=locale, kind="builder")

    async def change_session(self, session: str, *, user: UserId, **fields: Any) -> Session:
        """Set title or pinned. Raises: NotFound. BadInput."""
        if "title" in fields:
            fields["title"] = visible(" ".join(str(fields["title"]).split()))
            if not 1 <= len(fields["title"]) <= NAME_CHARS:
                raise BadInput(f"a title has 1 to {NAME_CHARS} characters", code="bad_name")
        changed = await self._store.change(Session, session, owner=user, **fields)
        self._runners.changes.records(user)
        return changed

    async def delete_session(self, session: str, *, user: UserId) -> None:
        """Delete a session with its log here and in the box; the agent's folder stays. Raises: NotFound."""
        await self.session(session, user=user)
        runner = await self._runners.get_or_start(user)
        await runner.delete(session)
        await self._delete_rows(session, user=user)
        self._runners.changes.records(user)

    async def inbox(self, *, user: UserId) -> list[Request]:
        """Return the user's open requests, newest first."""
        return await self._store.find(Request, owner=user, newest_by="asked_at", limit=MANY)

    async def _open(self, agent: Agent, *, user: UserId, locale: str, kind: str, key: str = "") -> Session:
        at, id = now(), derived_session_id(user, agent.id, key) if key else new_session_id()
        session = Session(id=id, agent=agent.id, kind=kind, locale=locale, created_at=at, updated_at=at)
        try:
            await self._store.create(session, owner=user)
        except Conflict:
            return await self.session(id, user=user)
        self._runners.changes.records(user)
        return session

    async def _delete_rows(self, session: str, *, user: UserId) -> None:
        for request in await self._store.find(Request, owner=user, where={"session": session}):
            await self._store.delete(Request, request.id, owner=user)
        await self._store.delete(Session, session, owner=user)
        await self._store.delete_events(session, owner=user)
        self._forget(session)
