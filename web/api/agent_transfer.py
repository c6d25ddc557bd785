"""Taking an agent home as a ZIP file, bringing one in, duplicating one, and deciding what an import may do."""

from typing import Annotated

import msgspec
from fastapi import Query, Request, Response

from core.domain.agent_wishes import Wish, WishKind
from core.domain.records import Agent
from ui.layout.services import Services
from web.api.routing import ApiRouter, Caller

ZIP = "application/zip"
Number = Annotated[int, Query(ge=0, le=10**6)]


class ImportedAgent(msgspec.Struct, frozen=True, kw_only=True):
    """The draft that was made, and its wishes: each needs a yes of its own before it is in force."""

    agent: Agent
    wishes: tuple[Wish, ...]


class WishList(msgspec.Struct, frozen=True, kw_only=True):
    """The wishes that nobody has decided yet."""

    wishes: tuple[Wish, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A yes or a no to one wish."""

    kind: WishKind = WishKind.RULE
    value: str = ""
    yes: bool = False


def router(services: Services) -> ApiRouter:
    """Routes about agents that leave and come."""
    api = ApiRouter("agents")
    _files(api, services)
    _wishes(api, services)
    return api


def _files(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/export", problems=(404, 409), gives=ZIP)
    async def export_agent(agent: str, user: Caller, version: Number = 0) -> bytes:
        """Return an agent as a ZIP file that plain Claude Code runs; `version` 0 is the draft."""
        name, raw = await services.transfer.export(agent, version, user=user.user_id)
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(raw, media_type=ZIP, headers=headers)  # type: ignore[return-value]  # with its name

    @api.endpoint("POST", "/agents/import", status=201, problems=(408, 413), takes=ZIP)
    async def import_agent(request: Request, user: Caller) -> ImportedAgent:
        """Make a draft of the ZIP file that is the request's body. What it wants beyond its files needs a yes each."""
        agent, wishes = await services.transfer.bring_in(await request.body(), user=user.user_id)
        return ImportedAgent(agent=agent, wishes=wishes)

    @api.endpoint("POST", "/agents/{agent}/duplicate", status=201, problems=(404,))
    async def duplicate_agent(agent: str, user: Caller) -> Agent:
        """Make a draft with the same files and definition."""
        return await services.transfer.duplicate(agent, user=user.user_id)


def _wishes(api: ApiRouter, services: Services) -> None:
    @api.endpoint("GET", "/agents/{agent}/wishes", problems=(404,))
    async def list_wishes(agent: str, user: Caller) -> WishList:
        """List what an imported agent wants and nobody has decided yet."""
        await services.agents.get(agent, user=user.user_id)
        return WishList(wishes=await services.transfer.wishes(agent, user=user.user_id))

    @api.endpoint("POST", "/agents/{agent}/wishes", problems=(404,))
    async def decide_wish(agent: str, body: Decision, user: Caller) -> WishList:
        """Grant one wish, or drop it."""
        wish = Wish(kind=body.kind, value=body.value)
        return WishList(wishes=await services.transfer.decide(agent, wish, body.yes, user=user.user_id))
