"""Taking an agent home as a ZIP file, bringing one in, and duplicating one.

An import is untrusted. It becomes a new draft that may reach no host, has no rule and no secret, and asks about
everything; what its files wish beyond that is kept as wishes, and a person says yes to each of them, or no.
"""

from typing import Any

from core.domain.agent_definition import POWER, AgentDefinition, checked, definition_of
from core.domain.agent_file import from_file, to_file
from core.domain.agent_wishes import AgentWishes, Wish, WishKind, wishes_of
from core.domain.audit import AuditAction
from core.domain.errors import NotFound
from core.domain.permission_policy import Mode
from core.domain.records import Agent, UserId, new_agent_id, now
from core.fleet.runner_pool import RunnerPool
from core.fleet.versions_client import VersionsClient
from core.protocol.versions_api import Pack, VersionRef
from core.services.agent_versions import AgentVersions
from core.services.agents import Agents
from core.services.audit import Audit
from core.store import Store

TAKEN = tuple(
    name for name in AgentDefinition.__struct_fields__ if name not in (*POWER, "revision")
)  # from an import's agent.toml without asking


class AgentTransfer:
    """Use cases over Store and runner; the user is checked by being the owner in every call."""

    def __init__(
        self, *, store: Store, runners: RunnerPool, agents: Agents, versions: AgentVersions, audit: Audit
    ) -> None:
        self._store, self._runners, self._agents = store, runners, agents
        self._versions, self._audit = versions, audit

    async def export(self, agent: str, number: int, *, user: UserId) -> tuple[str, bytes]:
        """Return a name for the file and the ZIP file of a version; 0 is the draft.

        Raises: NotFound. Conflict: `version_damaged`. TooMuch: the draft is too large. RunnerUnavailable.
        """
        found = await self._agents.get(agent, user=user)
        version = await self._versions.get(agent, number, user=user) if number else None
        definition = version.definition if version else definition_of(found)
        ref = VersionRef(commit=version.commit, digest=version.digest) if version else None
        raw = await (await self._client(agent, user)).pack(Pack(version=ref, agent_toml=to_file(definition)))
        await self._audit.record(AuditAction.EXPORTED, who=user, about=agent)
        return f"{agent}-v{number}.zip" if number else f"{agent}.zip", raw

    async def bring_in(self, raw: bytes, *, user: UserId) -> tuple[Agent, tuple[Wish, ...]]:
        """Make a draft of a ZIP file. Raises: BadInput (`bad_archive`): nothing was made. RunnerUnavailable."""
        id = new_agent_id()
        client = await self._client(id, user)
        found = await client.unpack(raw)
        wanted, _ = from_file(found.agent_toml)
        agent = await self._make(id, {name: getattr(wanted, name) for name in TAKEN}, user=user)
        wishes = wishes_of(wanted, held=found.held, allowed=found.allowed)
        if wishes:
            await self._store.put(AgentWishes(id=id, wishes=wishes), owner=user)
        return agent, wishes

    async def duplicate(self, agent: str, *, user: UserId) -> Agent:
        """Make a draft with the files and the definition of this agent, permissions included: they are its owner's.

        Raises: NotFound. TooMuch: the folder is too large. RunnerUnavailable.
        """
        found, id = await self._agents.get(agent, user=user), new_agent_id()
        await (await self._client(agent, user)).duplicate(id)
        definition = definition_of(found)
        names = (name for name in definition.__struct_fields__ if name != "revision")
        return await self._make(id, {name: getattr(definition, name) for name in names}, user=user, power=True)

    async def wishes(self, agent: str, *, user: UserId) -> tuple[Wish, ...]:
        """The wishes that nobody has decided yet."""
        try:
            return (await self._store.get(AgentWishes, agent, owner=user)).wishes
        except NotFound:
            return ()

    async def decide(self, agent: str, wish: Wish, yes: bool, *, user: UserId) -> tuple[Wish, ...]:
        """Grant a wish or drop it, and return those that are left. Raises: NotFound: there is no such wish."""
        wishes = await self.wishes(agent, user=user)
        if wish not in wishes:
            raise NotFound("there is no such wish")
        if yes:
            await self._agents.apply(agent, lambda found: _granted(found, wish), user=user)
        left = tuple(one for one in wishes if one != wish)
        await self._store.put(AgentWishes(id=agent, wishes=left), owner=user)
        return left

    async def _make(self, id: str, fields: dict[str, Any], *, user: UserId, power: bool = False) -> Agent:
        at = now()
        safe: dict[str, Any] = {} if power else {"egress": (), "permission_mode": str(Mode.ASK)}
        agent = Agent(id=id, created_at=at, updated_at=at, **fields, **safe)
        await self._store.create(agent, owner=user)
        await self._audit.record(AuditAction.AGENT_CREATED, who=user, about=id)
        self._runners.changes.records(user)
        return agent

    async def _client(self, agent: str, user: UserId) -> VersionsClient:
        return VersionsClient(await self._runners.get_or_start(user), agent)


def _granted(agent: Agent, wish: Wish) -> dict[str, Any]:
    """The fields of the agent with this wish in force. Raises: BadInput: it cannot be."""
    match wish.kind:
        case WishKind.RULE | WishKind.SERVER:
            return checked({"rules": (*agent.rules, wish.value)})
        case WishKind.HOST:
            return checked({"egress": (*agent.egress, wish.value)})
        case WishKind.SECRET:
            return checked({"secrets": (*agent.secrets, wish.value)})
        case WishKind.MODE:
            return checked({"permission_mode": wish.value})
    return {}  # a hook never runs
