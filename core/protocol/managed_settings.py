"""Claude Code settings that no agent's folder may override, so that a repository cannot decide what runs.

The CLI gets them twice: as a read-only `managed-settings.json` in the box (core.spawner.box), which outranks
everything, and in its arguments (core.runner.cli_argv), which outrank the folder's own settings even without a box.
"""

from typing import Any

from core.domain.permission_policy import ASKED_TOOLS

MANAGED_PATH = "/etc/claude-code/managed-settings.json"  # where the CLI looks on Linux; verified with 2.1.330

# Programs that the CLI would run by itself, to get or renew credentials.
_HELPERS = ("apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh", "otelHeadersHelper")

# Variables that lead to another model or account: the conversation would leave the platform.
_ELSEWHERE = (
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
)

# Variables with code that would run before, around or instead of every command.
_INSIDE_COMMANDS = (
    "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND", "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH",
    "GCONV_PATH", "CLAUDE_CODE_SHELL", "CLAUDE_CODE_SHELL_PREFIX", "CLAUDE_ENV_FILE",
)  # fmt: skip

_ALWAYS: dict[str, Any] = {
    # The CLI asks us about each use of these tools, whatever its mode, a folder, a skill or a sub-agent says. Measured
    # with 2.1.330: sub-agents, background commands, skills with `allowed-tools` and trusted folders are all asked.
    "permissions": {"disableBypassPermissionsMode": "disable", "ask": list(ASKED_TOOLS)},
    "disableSkillShellExecution": True,  # commands inside a skill's text would run before a person could be asked
    "sandbox": {"enabled": False, "autoAllowBashIfSandboxed": False},  # its own sandbox would run commands unasked
    "disableAutoMode": "disable",
    "enableAllProjectMcpServers": False,
    **dict.fromkeys(_HELPERS, ""),
    "env": dict.fromkeys((*_ELSEWHERE, *_INSIDE_COMMANDS), ""),
}


def file_settings() -> dict[str, Any]:
    """Return the content of the managed settings file. With it the CLI ignores a folder's hooks and plugin markets."""
    return _ALWAYS | {"allowManagedHooksOnly": True, "strictKnownMarketplaces": []}


def cli_settings(env: dict[str, str]) -> dict[str, Any]:
    """Return the settings for the CLI's arguments, with the variables that a folder's `env` must not change."""
    return _ALWAYS | {"disableAllHooks": True, "env": _ALWAYS["env"] | env}
