"""The effects of a person's consent to a platform tool: a secret is stored, a schedule created, an agent published."""

import asyncio

from core.domain.errors import Conflict, NotFound
from core.domain.events import Asked
from core.domain.records import Request, Session, UserId
from core.protocol.platform_tools import PROPOSE_SCHEDULE_TOOL, PUBLISH_AGENT_TOOL, REQUEST_SECRET_TOOL
from core.services.agent_versions import AgentVersions
from core.services.conversations import BACKOFF_S, Conversations
from core.services.schedules import Schedules
from core.services.secrets import Secrets
from core.store import Store
from core.tools.propose_schedule import read_proposal, schedule_of
from core.tools.publish_agent import NOTE_CHARS


class PlatformRequests:
    """`carry_out` is called by Conversations for each yes; `give_secret` is a yes that brings a value with it."""

    def __init__(
        self,
        *,
        store: Store,
        conversations: Conversations,
        secrets: Secrets,
        schedules: Schedules,
        versions: AgentVersions,
    ) -> None:
        self._store, self._conversations = store, conversations
        self._secrets, self._schedules, self._versions = secrets, schedules, versions
        conversations.on_allowed = self.carry_out

    async def give_secret(self, session: str, request_id: str, value: str, *, user: UserId) -> None:
        """Keep the value under the name that was asked for, and answer the request with a yes.

        The value goes to the vault and nowhere else: the answer does not have it.
        Raises: NotFound: no such request. BadInput, TooMuch: the value (core.vault.limits). VaultUnavailable.
        """
        name = await self._secret_name(session, request_id, user)
        await self._secrets.put(name, value, user=user)
        await self._conversations.answer(session, request_id, user=user, decision="allow")

    async def _secret_name(self, session: str, request_id: str, user: UserId) -> str:
        for pause_s in (*BACKOFF_S[:4], None):  # the Store has a request a moment after the page that shows it
            try:
                request = await self._store.get(Request, request_id, owner=user)
                break
            except NotFound:
                if pause_s is None:
                    raise
            await asyncio.sleep(pause_s)
        asked = await self._conversations.asked(request, user=user)
        if asked.tool != REQUEST_SECRET_TOOL or request.session != session:
            raise NotFound(f"request {request_id} is not about a secret")
        return str(asked.input.get("name", ""))

    async def carry_out(self, asked: Asked, session: Session, user: UserId) -> None:
        """Do what this person has just agreed to; of a tool that is none of the platform's, nothing.

        Raises: BadInput, NotFound: what was proposed is none any more. Conflict: `secret_missing`. VaultUnavailable.
        """
        if asked.tool == REQUEST_SECRET_TOOL:
            await self._assign(str(asked.input.get("name", "")), session.agent, user)
        elif asked.tool == PROPOSE_SCHEDULE_TOOL:
            given = read_proposal(asked.input)
            key, schedule = f"request {asked.request_id}", schedule_of(given)
            await self._schedules.create_once(key, session.agent, schedule, user=user, input=given.input)
        elif asked.tool == PUBLISH_AGENT_TOOL:
            note = str(asked.input.get("note", ""))[:NOTE_CHARS]
            await self._versions.publish(session.agent, user=user, note=note)

    async def _assign(self, name: str, agent: str, user: UserId) -> None:
        """Let the agent have a secret that is in the vault already."""
        if not await self._secrets.has(name, user=user):
            raise Conflict("the value has not been entered", code="secret_missing")
        await self._secrets.assign(name, agent, True, user=user)
