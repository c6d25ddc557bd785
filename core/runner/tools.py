"""The platform's own tools, served to the CLI from inside the runner: so far the builder's `draft_agent`."""

from typing import Any

from claude_agent_sdk import McpSdkServerConfig, create_sdk_mcp_server, tool

from core.errors import PlatformError
from core.runner.gateway import Gateway

NAME_CHARS, DESCRIPTION_CHARS, ICON_CHARS = 80, 400, 40
_TEXT = {"type": "string"}
_DRAFT_AGENT = {
    "type": "object",
    "properties": {"name": _TEXT, "description": _TEXT, "icon": _TEXT},
    "required": ["name", "description"],
}


def server(gateway: Gateway, session: str) -> McpSdkServerConfig:
    """The MCP server `oma` of a builder session."""

    @tool(
        "draft_agent", "Set the name, description and icon (one English word) of the agent being built.", _DRAFT_AGENT
    )
    async def draft_agent(said: dict[str, Any]) -> dict[str, Any]:
        name, description, icon = (str(said.get(key, "")).strip() for key in ("name", "description", "icon"))
        try:
            await gateway.draft(session, name[:NAME_CHARS], description[:DESCRIPTION_CHARS], icon[:ICON_CHARS])
        except PlatformError as error:
            return {"content": [{"type": "text", "text": f"It was not saved: {error}"}], "is_error": True}
        return {"content": [{"type": "text", "text": "Saved. The user sees it at the head of this conversation."}]}

    return create_sdk_mcp_server("oma", tools=[draft_agent])
