"""The line that starts a CLI and the environment it starts in: built from nothing, so that nothing leaks into it."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from core.domain.permission_policy import Mode, mode_of
from core.domain.permission_rules import parse_rule
from core.protocol import managed_settings
from core.protocol.gateway_api import Spec
from core.protocol.platform_tools import PREFIX, SERVER
from core.runner.folder_requests import wants
from core.runner.processes import MARK
from core.runner.prompts import appended
from core.runner.tool_launcher import behind_launcher

# What an agent needs: the CLI's whole set makes every request three times as large.
TOOLS = (
    "Bash", "Read", "Write", "Edit", "NotebookEdit", "Glob", "Grep", "WebFetch", "WebSearch", "Task", "TaskStop",
    "TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "TodoWrite", "Skill", "AskUserQuestion", "EnterPlanMode",
    "ExitPlanMode",
)  # fmt: skip
PATH = "/usr/local/bin:/usr/bin:/bin"
# What is not yet there at Google makes it refuse whole messages; the gateway leaves out what the CLI says all the same.
BEHIND = {"vertex": {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}}
NO_LAUNCHER: Mapping[str, str] = MappingProxyType({})
_OURSELVES = "127.0.0.1,localhost,::1"


class CliPaths(NamedTuple):
    """Where a runner's CLIs are started: the program, the user's home, the bridge's port."""

    cli: str
    home: Path
    port: int

    def folder(self, agent: str) -> Path:
        return self.home / "agents" / agent

    def transcripts(self, session: str) -> list[Path]:
        """The CLI's own record of a session; without one it cannot be resumed."""
        return [path for path in self.home.glob(f".claude/projects/*/{session}.jsonl") if path.stat().st_size]

    def traces(self, session: str) -> list[Path]:
        """Everything the CLI keeps by the session's id: the transcript, tool results, its tasks."""
        claude = self.home / ".claude"
        return [*claude.glob(f"projects/*/{session}*"), *claude.glob(f"*/{session}*")]


def argv(spec: Spec, place: CliPaths, cli_session: str, tools: Mapping[str, str] = NO_LAUNCHER) -> list[str]:
    """Values are bound by `=`: none of them can become a flag of its own. `tools`: the variables of its launcher."""
    words = [
        place.cli,
        "--output-format=stream-json",
        "--input-format=stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-prompt-tool=stdio",
        "--setting-sources=project",
        f"--settings={json.dumps(managed_settings.cli_settings({**_pinned_env(place), **tools}))}",
        "--strict-mcp-config",
        f"--permission-mode={'plan' if mode_of(spec.agent.permission_mode) is Mode.PLAN else 'default'}",
        f"--tools={','.join(TOOLS)}",
        f"--append-system-prompt={appended(spec)}",
        f"--resume={cli_session}" if place.transcripts(cli_session) else f"--session-id={cli_session}",
    ]
    rules = [rule for rule in spec.agent.rules if not rule.startswith(PREFIX)]  # those are decided call by call
    servers = wants(place.folder(spec.agent.id), rules).servers
    if tools:
        servers = behind_launcher(servers, tools)
    if spec.tools:
        rules += [PREFIX + tool.name for tool in spec.tools if not tool.asks]
        servers = servers | {SERVER: {"type": "sdk", "name": SERVER}}
    if servers:
        words.append("--mcp-config=" + json.dumps({"mcpServers": servers}))
    if known := [
        rule for rule in rules if parse_rule(rule)
    ]:  # of an older day, one may be more than it seems to the CLI
        words.append(f"--allowedTools={','.join(known)}")
    if spec.agent.model:
        words.append(f"--model={spec.agent.model}")
    if spec.agent.effort:
        words.append(f"--effort={spec.agent.effort}")
    return words


def environment(spec: Spec, place: CliPaths, tools: Mapping[str, str] = NO_LAUNCHER) -> dict[str, str]:
    """All the CLI is told besides its arguments. The token opens the model for this session and nothing else."""
    return {
        **spec.secrets,  # first: whatever they are called, they are not in the place of ours
        "PATH": PATH,
        "HOME": str(place.home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": tempfile.gettempdir(),  # where the runner itself may write
        MARK: spec.session.id,
        "ANTHROPIC_API_KEY": spec.token,
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
        **BEHIND.get(spec.provider, {}),
        **_proxies(spec, place),
        **_pinned_env(place),
        **tools,
    }


def _pinned_env(place: CliPaths) -> dict[str, str]:
    """What a folder's settings must not change: where the model is. No secret: these stand in the arguments, too."""
    return {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{place.port}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "PATH": PATH,
        "NO_PROXY": _OURSELVES,
        "no_proxy": _OURSELVES,
    }


def _proxies(spec: Spec, place: CliPaths) -> dict[str, str]:
    """How programs find the only way out. Some know the variables in capitals only, some only the others."""
    way = f"http://oma:{spec.token}@127.0.0.1:{place.port}"
    ours = {"HTTPS_PROXY": way, "HTTP_PROXY": way, "ALL_PROXY": way}
    return ours | {name.lower(): value for name, value in ours.items()}
