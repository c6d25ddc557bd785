"""The platform's own tools that a model may call: their names, fields and limits, for the runner and the gateway.

So far there is one, `draft_agent` of a builder session: the runner offers it to the CLI, the gateway carries it out.
"""

from typing import Any, Final, Literal, get_args

SERVER: Final = "oma"  # the CLI calls a tool of ours mcp__oma__<name>
DRAFT_AGENT: Final = "draft_agent"

NAME_CHARS: Final = 60
DESCRIPTION_CHARS: Final = 300

Icon = Literal[
    "spark", "issue", "mic", "rocket", "box", "mail", "book", "chart", "clock", "globe", "search", "pen"
]  # fmt: skip
ICONS: Final[tuple[str, ...]] = get_args(Icon)


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
