"""The list of all platform tools, and the two things that can be done with one: check a call, and carry it out."""

from typing import Any, Final

import msgspec

from core.domain.errors import BadInput, NotFound
from core.domain.records import Session
from core.protocol.gateway_api import ToolAnswer, ToolCheck, ToolSpec
from core.tools import draft_agent, propose_schedule, publish_agent, read_run, request_secret, try_agent
from core.tools.tool import PlatformTool, ToolContext

TOOLS: Final[dict[str, PlatformTool[Any]]] = {
    tool.name: tool
    for tool in (
        draft_agent.TOOL,
        request_secret.TOOL,
        propose_schedule.TOOL,
        publish_agent.TOOL,
        read_run.TOOL,
        try_agent.TOOL,
    )
}
BUILDER: Final = "builder"  # the kind of session that has them


def tools_of(session: Session) -> tuple[ToolSpec, ...]:
    """The tools that the model has in this session."""
    return tuple(tool.spec for tool in TOOLS.values()) if session.kind == BUILDER else ()


async def check(context: ToolContext, name: str, arguments: dict[str, Any]) -> ToolCheck:
    """Return whether a person has to be asked before this call is carried out. Raises: NotFound: no such tool."""
    tool = _tool(context, name)
    if tool.asks is None:
        return ToolCheck()
    try:
        return ToolCheck(ask=await tool.asks(context, _read(tool, arguments)))
    except BadInput as error:
        return ToolCheck(refusal=f"It was not done: {error}")


async def carry_out(context: ToolContext, name: str, arguments: dict[str, Any]) -> ToolAnswer:
    """Do what is asked, and say so to the model. Raises: NotFound: there is no such tool."""
    tool = _tool(context, name)
    try:
        return await tool.handle(context, _read(tool, arguments))
    except BadInput as error:
        return ToolAnswer(text=f"It was not done: {error}", is_error=True)


def _tool(context: ToolContext, name: str) -> PlatformTool[Any]:
    if context.session.kind != BUILDER or name not in TOOLS:
        raise NotFound("there is no such tool in this session")
    return TOOLS[name]


def _read(tool: PlatformTool[Any], arguments: dict[str, Any]) -> Any:
    """The arguments, checked. Raises: BadInput: they do not fit; the text says which one, and how."""
    try:
        return msgspec.convert(arguments, tool.arguments)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadInput(str(error)) from error
