"""The names of the platform's own tools, as the CLI, events and permission rules have them.

What a tool takes, asks and does is in `core/tools/`; a runner learns of its session's tools from the spec.
"""

from typing import Final

SERVER: Final = "oma"  # the MCP server that has them
PREFIX: Final = f"mcp__{SERVER}__"  # how the CLI, and so events and rules, name a tool of ours

DRAFT_AGENT_TOOL: Final = PREFIX + "draft_agent"
