"""The names of the platform's own tools, as the CLI, events and permission rules have them.

What a tool takes, asks and does is in `core/tools/`; a runner learns of its session's tools from the spec.
"""

from typing import Final

SERVER: Final = "oma"  # the MCP server that has them
PREFIX: Final = f"mcp__{SERVER}__"  # how the CLI, and so events and rules, name a tool of ours

DRAFT_AGENT_TOOL: Final = PREFIX + "draft_agent"
REQUEST_SECRET_TOOL: Final = PREFIX + "request_secret"
PROPOSE_SCHEDULE_TOOL: Final = PREFIX + "propose_schedule"
PUBLISH_AGENT_TOOL: Final = PREFIX + "publish_agent"
READ_RUN_TOOL: Final = PREFIX + "read_run"
TRY_AGENT_TOOL: Final = PREFIX + "try_agent"
