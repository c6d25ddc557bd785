"""`publish_agent`: a person says yes to publishing the draft; the yes publishes it."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from core.domain.errors import BadInput
from core.domain.records import Agent
from core.protocol.gateway_api import ToolAnswer
from core.tools.tool import PlatformTool, ToolContext

NOTE_CHARS: Final = 200


class PublishAgent(Struct, frozen=True, kw_only=True):
    """Arguments of `publish_agent`."""

    note: Annotated[str, Meta(max_length=NOTE_CHARS, description="One line for the user: what is new in it.")]


async def _asks(context: ToolContext, given: PublishAgent) -> bool:
    if not (await _agent(context)).name:
        raise BadInput("the agent has no name yet: call draft_agent first")
    return True


async def _handle(context: ToolContext, given: PublishAgent) -> ToolAnswer:
    agent = await _agent(context)
    if agent.draft:
        return ToolAnswer(text="It is still a draft: the user has not published it.", is_error=True)
    return ToolAnswer(text=f"It is published. Schedules and runs use version {agent.published} from now on.")


async def _agent(context: ToolContext) -> Agent:
    return await context.store.get(Agent, context.agent.id, owner=context.user)


TOOL: Final = PlatformTool(
    name="publish_agent",
    description="Propose to publish the agent. The user sees what is new and what the tests said, and decides.",
    arguments=PublishAgent,
    handle=_handle,
    asks=_asks,
)
