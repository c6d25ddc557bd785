"""The use cases of secrets: add, replace, delete, and choose which agents get them. No use case returns a value.

The value is in the vault. The Store has the agents that get it (`Agent.secrets`), and the times when it was written and
used. A CLI that was started with an old value ends as soon as it is idle; the next one gets the new value.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from core.agents.changes import change_agent
from core.domain.audit import AuditAction
from core.domain.errors import NotFound, PlatformError
from core.domain.records import Agent, SecretRecord, UserId, now
from core.fleet.runner_pool import RunnerPool
from core.services.audit import Audit
from core.store import Store
from core.vault import Vault

log = logging.getLogger("oma.secrets")

MANY = 1000  # agents of one user, and secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretInfo:
    """The data about a secret that pages may show. Unknown times are None."""

    name: str
    agents: tuple[Agent, ...]
    updated_at: datetime | None
    used_at: datetime | None


class Secrets:
    """Use cases over vault and Store. Every call names the user as owner, which is the permission check."""

    def __init__(self, *, vault: Vault, store: Store, runners: RunnerPool, audit: Audit) -> None:
        self._vault, self._store, self._runners, self._audit = vault, store, runners, audit

    async def all(self, *, user: UserId) -> list[SecretInfo]:
        """Return the secrets in the order of their names. Raises: VaultUnavailable."""
        notes = {note.id: note for note in await self._store.find(SecretRecord, owner=user, limit=MANY)}
        agents = await self._store.find(Agent, owner=user, limit=MANY)
        return [
            SecretInfo(
                name=name,
                agents=tuple(agent for agent in agents if name in agent.secrets),
                updated_at=note.updated_at if (note := notes.get(name)) else None,
                used_at=note.used_at if note else None,
            )
            for name in await self._vault.names(owner=user)
        ]

    async def has(self, name: str, *, user: UserId) -> bool:
        """True if the user has a secret of this name. Raises: VaultUnavailable."""
        return name in await self._vault.names(owner=user)

    async def put(self, name: str, value: str, *, user: UserId) -> bool:
        """Add or replace a secret. Returns True if it is new. Raises: BadInput, TooMuch (core.vault.limits),
        VaultUnavailable.
        """
        new = name not in await self._vault.names(owner=user)
        await self._vault.put(name, value, owner=user)
        await self._store.put(SecretRecord(id=name, updated_at=now()), owner=user)
        await self._audit.record(AuditAction.SECRET_ADDED if new else AuditAction.SECRET_REPLACED, who=user, about=name)
        await self._renew([agent for agent in await self._agents(user) if name in agent.secrets], user)
        return new

    async def delete(self, name: str, *, user: UserId) -> None:
        """Delete the value, and the name at every agent. Idempotent. Raises: VaultUnavailable."""
        await self._vault.delete(name, owner=user)
        await self._store.delete(SecretRecord, name, owner=user)
        await self._audit.record(AuditAction.SECRET_DELETED, who=user, about=name)
        had = [agent for agent in await self._agents(user) if name in agent.secrets]
        for agent in had:
            await change_agent(self._store, agent.id, partial(_given, name, False), owner=user)
        await self._renew(had, user)

    async def assign(self, name: str, agent: str, given: bool, *, user: UserId) -> None:
        """Give a secret to an agent or take it away, from the agent's next start on. Raises: NotFound:
        secret or agent.
        """
        if given and name not in await self._vault.names(owner=user):
            raise NotFound("no such secret")
        before, changed = await change_agent(self._store, agent, partial(_given, name, given), owner=user)
        if before is changed:
            return
        action = AuditAction.SECRET_ASSIGNED if given else AuditAction.SECRET_WITHDRAWN
        await self._audit.record(action, who=user, about=agent, detail=name)
        self._runners.changes.records(user)
        await self._renew([changed], user)

    async def _agents(self, user: UserId) -> list[Agent]:
        return await self._store.find(Agent, owner=user, limit=MANY)

    async def _renew(self, agents: list[Agent], user: UserId) -> None:
        """Tell the running runner to replace CLIs with old values. Errors are only logged: a runner that is not told
        gets the change when it or its CLI ends.
        """
        if not (runner := self._runners.running(user)):
            return
        for agent in agents:
            try:
                await runner.renew_clis(agent.id)
            except PlatformError as error:
                log.warning("a runner was not told of a changed secret: %s", error)


def _given(name: str, given: bool, agent: Agent) -> dict[str, Any]:
    """The agent's secrets with this one, or without it."""
    rest = {other for other in agent.secrets if other != name}
    return {"secrets": tuple(sorted(rest | {name} if given else rest))}
