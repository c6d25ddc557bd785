"""`request_secret`: a person enters a secret in a form. The model learns that it is there, never what it is."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from core.domain.records import Agent
from core.protocol.gateway_api import ToolAnswer
from core.tools.tool import PlatformTool, ToolContext
from core.vault.limits import check_name

WHY_CHARS: Final = 300


class RequestSecret(Struct, frozen=True, kw_only=True):
    """Arguments of `request_secret`."""

    name: Annotated[
        str, Meta(max_length=64, description="The environment variable, for example SLACK_TOKEN: A-Z, 0-9 and _.")
    ]
    why: Annotated[
        str,
        Meta(max_length=WHY_CHARS, description="For the user: what it is needed for, and where they find or make it."),
    ] = ""


async def is_there(context: ToolContext, name: str) -> bool:
    """True if the secret exists and the agent gets it. Raises: VaultUnavailable."""
    agent = await context.store.get(Agent, context.agent.id, owner=context.user)
    return name in agent.secrets and name in await context.vault.names(owner=context.user)


async def _asks(context: ToolContext, given: RequestSecret) -> bool:
    check_name(given.name)
    return not await is_there(context, given.name)


async def _handle(context: ToolContext, given: RequestSecret) -> ToolAnswer:
    check_name(given.name)
    if not await is_there(context, given.name):
        return ToolAnswer(text=f"{given.name} is not there: the user has not entered it.", is_error=True)
    return ToolAnswer(
        text=f"{given.name} is there. Programs of this agent get it as the environment variable {given.name}, from the "
        "next turn on. Neither you nor the user's transcript ever shows its value: do not print it."
    )


TOOL: Final = PlatformTool(
    name="request_secret",
    description="Ask the user for a secret (a token, a password, a webhook address). A form opens; the value goes to "
    "the vault and is never shown to you. Never ask for a secret in the conversation.",
    arguments=RequestSecret,
    handle=_handle,
    asks=_asks,
)
