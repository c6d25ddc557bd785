"""The platform's own tools that a model may call: their names, fields and limits, for the runner and the gateway.

So far there is one, `draft_agent` of a builder session: the runner offers it to the CLI, the gateway carries it out.
"""

from typing import Any, Final

SERVER: Final = "oma"  # the MCP server that has them
PREFIX: Final = f"mcp__{SERVER}__"  # how the CLI, and so events and rules, name a tool of ours
DRAFT_AGENT: Final = "draft_agent"
DRAFT_AGENT_TOOL: Final = PREFIX + DRAFT_AGENT

NAME_CHARS: Final = 60
DESCRIPTION_CHARS: Final = 300
ICONS: Final = (
    "spark", "issue", "mic", "rocket", "box", "mail", "book", "chart", "clock", "globe", "search", "pen",
)  # fmt: skip


def draft_agent_schema() -> dict[str, Any]:
    """The tool as MCP's `tools/list` describes it."""
    return {
        "name": DRAFT_AGENT,
        "description": "Set the name, description and icon of the agent being built.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": NAME_CHARS},
                "description": {"type": "string", "maxLength": DESCRIPTION_CHARS},
                "icon": {"type": "string", "description": f"One of: {', '.join(ICONS)}"},
            },
            "required": ["name", "description"],
        },
    }
