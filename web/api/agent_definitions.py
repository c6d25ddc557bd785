"""The definition of one agent, its instructions, and its published versions."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Header, Query, Response

from core.domain.agent_definition import AgentDefinition
from core.domain.agent_inputs import AgentInput, AgentLimits
from core.domain.agent_versions import AgentInstructions, AgentVersion
from core.domain.errors import BadInput, PlatformError
from core.domain.records import Unattended
from core.protocol.versions_api import INSTRUCTIONS_CHARS
from core.services.agent_versions import VersionDiff
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller, as_json

KEEP = msgspec.UNSET
IfMatch = Annotated[str, Header(alias="If-Match", max_length=80)]
Number = Annotated[int, Query(ge=0, le=10**6)]


class Stale(PlatformError):
    """If-Match names another revision than the present one."""

    code, status = "definition_changed", 412


class DefinitionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An agent: its definition with the revision, and the published version (0: none)."""

    id: str
    definition: AgentDefinition
    draft: bool
    archived: bool
    published: int


class DefinitionChange(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that change; the others stay. `revision` is the one that the caller has seen, as in If-Match."""

    revision: int | msgspec.UnsetType = KEEP
    name: str | msgspec.UnsetType = KEEP
    description: str | msgspec.UnsetType = KEEP
    icon: str | msgspec.UnsetType = KEEP
    model: str | msgspec.UnsetType = KEEP
    effort: str | msgspec.UnsetType = KEEP
    inputs: list[AgentInput] | msgspec.UnsetType = KEEP
    permission_mode: str | msgspec.UnsetType = KEEP
    rules: list[str] | msgspec.UnsetType = KEEP
    unattended: Unattended | msgspec.UnsetType = KEEP
    egress: list[str] | msgspec.UnsetType = KEEP
    secrets: list[str] | msgspec.UnsetType = KEEP
    limits: AgentLimits | msgspec.UnsetType = KEEP


class InstructionsChange(msgspec.Struct, frozen=True, kw_only=True):
    """The new text, and the etag of the text that it replaces."""

    text: Annotated[str, msgspec.Meta(max_length=INSTRUCTIONS_CHARS)]
    etag: str = ""


class PublishNote(msgspec.Struct, frozen=True, kw_only=True):
    """A line of what has changed, and the version to publish; 0 makes a new one of the draft."""

    note: str = ""
    version: int = 0


class VersionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version. `left_out` are paths of the folder that no version holds."""

    number: int
    note: str
    commit: str
    files: int
    size_bytes: int
    left_out: tuple[str, ...]
    created_at: datetime
    published: bool


class VersionList(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of an agent, newest first."""

    versions: list[VersionAnswer]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """The draft is this version again, apart from what the agent may do. `before` is the commit of the old draft."""

    number: int
    before: str


def router(services: Services) -> ApiRouter:
    """Routes under `/agents/{agent}` about what the agent is."""
    api = ApiRouter("agents")
    _definition(api, services)
    _instructions(api, services)
    _versions(api, services)
    _back(api, services)
    return api


def _definition(api: ApiRouter, services: Services) -> None:
    async def shown(agent: str, user: Any) -> Response:
        found = await services.agents.get(agent, user=user)
        definition = await services.definitions.read(agent, user=user)
        answer = DefinitionAnswer(
            id=agent, definition=definition, draft=found.draft, archived=found.archived, published=found.published
        )
        response = as_json(answer)
        response.headers["ETag"] = f'"{definition.revision}"'
        return response

    @api.endpoint("GET", "/agents/{agent}", problems=(404,))
    async def get_agent(agent: str, user: Caller) -> DefinitionAnswer:
        """Read an agent's definition; its revision is the ETag."""
        return await shown(agent, user.user_id)  # type: ignore[return-value]  # with its header

    @api.endpoint("PATCH", "/agents/{agent}", problems=(404, 409, 412))
    async def change_agent(
        agent: str, body: DefinitionChange, user: Caller, if_match: IfMatch = ""
    ) -> DefinitionAnswer:
        """Change fields of the definition, if it still has the revision of the body or of If-Match."""
        await services.agents.get(agent, user=user.user_id)
        fields = {name: getattr(body, name) for name in body.__struct_fields__ if getattr(body, name) is not KEEP}
        given = fields.pop("revision", None)
        tag = if_match.strip('"')
        if given is None and not tag.isdigit():
            raise BadInput("Say which revision you have seen, in If-Match or in `revision`.")
        if tag and tag != str((await services.definitions.read(agent, user=user.user_id)).revision):
            raise Stale("The agent has changed meanwhile.")
        revision = int(tag) if given is None else given
        await services.definitions.change(agent, user=user.user_id, revision=revision, **fields)
        return await shown(agent, user.user_id)  # type: ignore[return-value]  # with its header


def _instructions(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/instructions", problems=(404,))
    async def get_instructions(agent: str, user: Caller) -> AgentInstructions:
        """Read CLAUDE.md; while the box sleeps, as it was last seen."""
        return await services.versions.instructions(agent, user=user.user_id)

    @api.endpoint("PUT", "/agents/{agent}/instructions", problems=(404, 409))
    async def put_instructions(agent: str, body: InstructionsChange, user: Caller) -> AgentInstructions:
        """Write CLAUDE.md, if it still is the text that `etag` names."""
        return await services.versions.write_instructions(agent, body.text, body.etag, user=user.user_id)


def _versions(api: ApiRouter, services: Services) -> None:
    @api.endpoint("POST", "/agents/{agent}/publish", status=201, problems=(404, 409))
    async def publish(agent: str, body: PublishNote, user: Caller) -> VersionAnswer:
        """Publish the draft as a new version, or a version that there is. The same draft again is the same version."""
        if body.version:
            version = await services.versions.use(agent, body.version, user=user.user_id)
        else:
            version = await services.versions.publish(agent, user=user.user_id, note=body.note)
        return _answer(version, version.number)

    @api.endpoint("GET", "/agents/{agent}/versions", problems=(404,))
    async def list_versions(agent: str, user: Caller) -> VersionList:
        """List an agent's versions."""
        published = (await services.agents.get(agent, user=user.user_id)).published
        found = await services.versions.all(agent, user=user.user_id)
        return VersionList(versions=[_answer(version, published) for version in found])


def _back(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/versions/{number}/diff", problems=(404, 409))
    async def diff_version(agent: str, number: int, user: Caller, against: Number = 0) -> VersionDiff:
        """Compare a version with another one; 0 is the draft."""
        return await services.versions.diff(agent, number, against or None, user=user.user_id)

    @api.endpoint("POST", "/agents/{agent}/versions/{number}/restore", problems=(404, 409))
    async def restore_version(agent: str, number: int, user: Caller) -> Restored:
        """Bring a version back as the draft. Its permissions are not brought back: each needs a person's yes."""
        before = await services.versions.restore(agent, number, user=user.user_id)
        return Restored(number=number, before=before.commit)


def _answer(version: AgentVersion, published: int) -> VersionAnswer:
    same = ("number", "note", "commit", "files", "size_bytes", "left_out", "created_at")
    return VersionAnswer(published=version.number == published, **{name: getattr(version, name) for name in same})
