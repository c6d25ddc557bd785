"""Publishing an agent: versions of its folder and definition, their comparison, and the way back to one of them."""

import logging
from typing import Any

import msgspec

from core.domain.agent_definition import FIELDS, POWER, AgentDefinition, changed_fields, definition_of
from core.domain.agent_file import to_file
from core.domain.agent_versions import AgentInstructions, AgentVersion, version_id
from core.domain.audit import AuditAction
from core.domain.errors import BadInput, NotFound, RunnerUnavailable
from core.domain.records import UserId, now
from core.domain.visible_text import visible
from core.fleet.runner_pool import RunnerPool
from core.fleet.versions_client import VersionsClient
from core.protocol.versions_api import NOTE_CHARS, FileChange, Instructions, Publish, VersionRef
from core.services.agents import Agents
from core.services.audit import Audit
from core.store import Store

log = logging.getLogger("oma.versions")

VERSIONS = 1_000  # of one agent
RESTORED = tuple(name for name in FIELDS if name not in POWER)


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """One field of the definition that differs."""

    name: str
    before: Any
    after: Any


class VersionDiff(msgspec.Struct, frozen=True, kw_only=True):
    """The differences of two versions, or of a version and the draft. `more_files` differ besides."""

    fields: tuple[FieldChange, ...]
    files: tuple[FileChange, ...]
    more_files: int = 0


class AgentVersions:
    """Use cases over Store and runner; the user is checked by being the owner in every call."""

    def __init__(self, *, store: Store, runners: RunnerPool, agents: Agents, audit: Audit) -> None:
        self._store, self._runners, self._agents, self._audit = store, runners, agents, audit

    async def all(self, agent: str, *, user: UserId) -> list[AgentVersion]:
        """Newest first."""
        found = await self._store.find(AgentVersion, owner=user, where={"agent": agent}, limit=VERSIONS)
        return sorted(found, key=lambda version: version.number, reverse=True)

    async def get(self, agent: str, number: int, *, user: UserId) -> AgentVersion:
        """Raises: NotFound."""
        return await self._store.get(AgentVersion, version_id(agent, number), owner=user)

    async def publish(self, agent: str, *, user: UserId, note: str = "") -> AgentVersion:
        """Make a version of the draft, for runs to use from now on; the same draft again is the same version.

        Raises: NotFound. BadInput. TooMuch: `version_too_large`, or there are too many versions. Conflict: somebody
        else publishes at this moment. RunnerUnavailable.
        """
        note = visible(" ".join(note.split()))
        if len(note) > NOTE_CHARS:
            raise BadInput(f"a note has at most {NOTE_CHARS} characters", code="text_too_long")
        definition = definition_of(await self._agents.get(agent, user=user))
        before = await self.all(agent, user=user)
        newest = before[0] if before else None
        version = await self._commit(agent, definition, newest, user=user, note=note)
        if newest is None or newest.digest != version.digest or changed_fields(newest.definition, definition):
            await self._store.create(version, owner=user)
        else:
            version = newest
        await self.use(agent, version.number, user=user)
        return version

    async def _commit(
        self, agent: str, definition: AgentDefinition, newest: AgentVersion | None, *, user: UserId, note: str
    ) -> AgentVersion:
        number = newest.number + 1 if newest else 1
        asked = Publish(
            number=number, note=note, parent=newest.commit if newest else "", agent_toml=to_file(definition)
        )
        made = await (await self._client(agent, user)).publish(asked)
        return AgentVersion(
            id=version_id(agent, number),
            agent=agent,
            number=number,
            note=note,
            definition=definition,
            created_at=now(),
            **msgspec.structs.asdict(made),
        )

    async def use(self, agent: str, number: int, *, user: UserId) -> AgentVersion:
        """Let runs use this version from now on. Raises: NotFound."""
        version = await self.get(agent, number, user=user)
        await self._agents.apply(agent, lambda _: {"published": number, "draft": False}, user=user)
        return version

    async def restore(self, agent: str, number: int, *, user: UserId) -> VersionRef:
        """Make the draft what the version was, apart from what the agent may do; return the draft as it was.

        Raises: NotFound. Conflict: `version_damaged`. TooMuch: the draft cannot be kept first. RunnerUnavailable.
        """
        version = await self.get(agent, number, user=user)
        restored = await (await self._client(agent, user)).restore(_ref(version))
        values = {name: getattr(version.definition, name) for name in RESTORED}
        await self._agents.apply(agent, lambda _: values, user=user)
        await self._audit.record(AuditAction.AGENT_RESTORED, who=user, about=agent, detail=f"v{number}")
        self._runners.changes.records(user)
        return restored.before

    async def diff(self, agent: str, before: int, after: int | None, *, user: UserId) -> VersionDiff:
        """Compare two versions; None is the draft. Raises: NotFound. Conflict, TooMuch, RunnerUnavailable."""
        one = await self.get(agent, before, user=user)
        other = await self.get(agent, after, user=user) if after else None
        definition = other.definition if other else definition_of(await self._agents.get(agent, user=user))
        files = await (await self._client(agent, user)).diff(_ref(one), _ref(other) if other else None)
        fields = tuple(
            FieldChange(name=name, before=getattr(one.definition, name), after=getattr(definition, name))
            for name in changed_fields(one.definition, definition)
        )
        return VersionDiff(fields=fields, files=files.changes, more_files=files.more)

    # --- the instructions ---------------------------------------------------------------------------------------------

    async def instructions(self, agent: str, *, user: UserId) -> AgentInstructions:
        """CLAUDE.md from the user's box if it is awake, else as it was last seen. Raises: NotFound: the agent."""
        await self._agents.get(agent, user=user)
        if runner := self._runners.running(user):
            try:
                return await self._seen(agent, await VersionsClient(runner, agent).instructions(), user=user)
            except RunnerUnavailable as error:
                log.info("the instructions of %s are shown as they were: %s", agent, error)
        return await self._copy(agent, user=user)

    async def write_instructions(self, agent: str, text: str, etag: str, *, user: UserId) -> AgentInstructions:
        """Write CLAUDE.md over the text that `etag` names.

        Raises: NotFound: the agent. Conflict: `instructions_changed`. BadInput: too long. RunnerUnavailable.
        """
        await self._agents.get(agent, user=user)
        client = await self._client(agent, user)
        return await self._seen(agent, await client.write_instructions(Instructions(text=text, etag=etag)), user=user)

    async def _seen(self, agent: str, found: Instructions, *, user: UserId) -> AgentInstructions:
        """Keep a copy for the time when the box sleeps, and tell other pages of a new text."""
        known = await self._copy(agent, user=user)
        if (known.text, known.etag) == (found.text, found.etag):
            return known
        new = AgentInstructions(id=agent, seen_at=now(), **msgspec.structs.asdict(found))
        await self._store.put(new, owner=user)
        self._runners.changes.records(user)
        return new

    async def _copy(self, agent: str, *, user: UserId) -> AgentInstructions:
        try:
            return await self._store.get(AgentInstructions, agent, owner=user)
        except NotFound:
            return AgentInstructions(id=agent, seen_at=now())

    async def _client(self, agent: str, user: UserId) -> VersionsClient:
        return VersionsClient(await self._runners.get_or_start(user), agent)


def _ref(version: AgentVersion) -> VersionRef:
    return VersionRef(commit=version.commit, digest=version.digest)
