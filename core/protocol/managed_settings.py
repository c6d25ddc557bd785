"""Claude Code settings that no folder may override: what a repository ships must not decide what runs or who listens.

Given to the CLI twice: as a read-only `managed-settings.json` in the box (core.spawner.box), which outranks everything,
and by its arguments (core.runner.cli_argv), which outrank the folder's own settings also where there is no box.
"""

from typing import Any

MANAGED_PATH = "/etc/claude-code/managed-settings.json"  # where the CLI looks on Linux; seen to work with 2.1.330

# Programs that the CLI would run by itself, to get or renew credentials.
_HELPERS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh", "otelHeadersHelper")

# Ways to another model, and to another's account there: the talk would leave with them.
_ELSEWHERE = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
)

_ALWAYS: dict[str, Any] = {
    "permissions": {"disableBypassPermissionsMode": "disable"},
    "disableAutoMode": "disable",
    "enableAllProjectMcpServers": False,
    **dict.fromkeys(_HELPERS, ""),
    "env": dict.fromkeys(_ELSEWHERE, ""),
}


def file_settings() -> dict[str, Any]:
    """The file's content. Hooks and plugin markets of a folder are not even read."""
    return _ALWAYS | {"allowManagedHooksOnly": True, "strictKnownMarketplaces": []}


def cli_settings(env: dict[str, str]) -> dict[str, Any]:
    """The arguments': the same, and values of the environment that a folder's `env` must not change."""
    return _ALWAYS | {"disableAllHooks": True, "env": _ALWAYS["env"] | env}
