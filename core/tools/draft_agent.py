"""`draft_agent`: the builder describes the agent that is being built."""

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from core.agents.changes import change_agent
from core.domain.agent_definition import ICONS
from core.domain.agent_inputs import AgentInput
from core.protocol.gateway_api import ToolAnswer
from core.tools.tool import PlatformTool, ToolContext, one_line

NAME_CHARS: Final = 60
DESCRIPTION_CHARS: Final = 300


class DraftAgent(Struct, frozen=True, kw_only=True):
    """Arguments of `draft_agent`; what is left out or empty stays as it is."""

    name: Annotated[str, Meta(max_length=NAME_CHARS)] = ""
    description: Annotated[str, Meta(max_length=DESCRIPTION_CHARS)] = ""
    icon: Annotated[str, Meta(description=f"One of: {', '.join(ICONS)}")] = ""
    model: Annotated[str, Meta(max_length=100, description="Only if the user wants a certain model.")] = ""
    inputs: Annotated[
        tuple[AgentInput, ...] | None, Meta(description="What a run asks for before it starts; replaces all inputs.")
    ] = None


async def _draft(context: ToolContext, given: DraftAgent) -> ToolAnswer:
    changes: dict[str, Any] = {}
    if name := one_line(given.name):
        changes["name"] = name
    if description := one_line(given.description):
        changes["description"] = description
    if given.icon in ICONS:
        changes["icon"] = given.icon
    await change_agent(context.store, context.agent.id, lambda _: changes, owner=context.user)
    unknown = given.icon not in ("", *ICONS)
    hint = f" There is no icon {given.icon[:40]!r}: choose from {', '.join(ICONS)}." if unknown else ""
    return ToolAnswer(text=f"Saved. The user sees it at the head of this conversation.{hint}")


TOOL: Final = PlatformTool(
    name="draft_agent",
    description="Describe the agent being built: name, description, icon, model, inputs. Its instructions are "
    "the file CLAUDE.md in its folder.",
    arguments=DraftAgent,
    handle=_draft,
)
