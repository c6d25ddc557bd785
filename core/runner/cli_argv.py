"""The arguments and the environment of a CLI. They are built from nothing, so that nothing of ours leaks into it."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from core.domain.permission_policy import Mode, mode_of
from core.domain.permission_rules import parse_rule
from core.protocol import managed_settings
from core.protocol.gateway_api import JUDGE, Spec
from core.protocol.platform_tools import PREFIX, SERVER
from core.runner.folder_requests import wants
from core.runner.processes import MARK
from core.runner.prompts import appended
from core.runner.tool_launcher import behind_launcher
from core.runner.versions.working_folder import folder_of

# The tools that an agent needs: all of the CLI's tools would make every request three times as large.
TOOLS = (
    "Bash", "Read", "Write", "Edit", "NotebookEdit", "Glob", "Grep", "WebFetch", "WebSearch", "Task", "TaskStop",
    "TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "TodoWrite", "Skill", "AskUserQuestion", "EnterPlanMode",
    "ExitPlanMode",
)  # fmt: skip
PATH = "/usr/local/bin:/usr/bin:/bin"
# Google refuses messages with features that it does not have yet; the gateway removes those that the CLI still sends.
BEHIND = {"vertex": {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1"}}
NO_LAUNCHER: Mapping[str, str] = MappingProxyType({})
_OURSELVES = "127.0.0.1,localhost,::1"


class CliPaths(NamedTuple):
    """The paths for a runner's CLIs: the program, the user's home, and the bridge's port."""

    cli: str
    home: Path
    port: int

    def folder(self, agent: str) -> Path:
        return self.home / "agents" / agent

    def workplace(self, spec: Spec) -> Path:
        """The folder in which the CLI of this session works."""
        version = spec.version
        if version:
            return folder_of(self.home, spec.agent.id, version.number)
        return self.folder(spec.session.folder or spec.agent.id)

    def transcripts(self, session: str) -> list[Path]:
        """Return the CLI's own record of a session. Without one it cannot be resumed."""
        return [path for path in self.home.glob(f".claude/projects/*/{session}.jsonl") if path.stat().st_size]

    def holding(self, anchor: str) -> str:
        """Return the CLI's id of the session in whose record the message `anchor` is; empty: there is none."""
        mark = f'"uuid":"{anchor}"'.encode()
        for path in self.home.glob(".claude/projects/*/*.jsonl"):
            with path.open("rb") as lines:
                if any(mark in line for line in lines):
                    return path.stem
        return ""

    def traces(self, session: str) -> list[Path]:
        """Return everything that the CLI stores under the session's id: transcript, tool results, tasks."""
        claude = self.home / ".claude"
        return [*claude.glob(f"projects/*/{session}*"), *claude.glob(f"*/{session}*")]


def argv(spec: Spec, place: CliPaths, cli_session: str, tools: Mapping[str, str] = NO_LAUNCHER) -> list[str]:
    """Return the arguments of a CLI. Values follow `=`, so none can become an option. `tools` has the launcher's
    variables.
    """
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
        f"--tools={'' if spec.session.kind == JUDGE else ','.join(TOOLS)}",
        f"--append-system-prompt={appended(spec)}",
        *_which_session(spec, place, cli_session),
    ]
    rules = [rule for rule in spec.agent.rules if not rule.startswith(PREFIX)]  # those are decided call by call
    servers = wants(place.workplace(spec), rules).servers
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


def _which_session(spec: Spec, place: CliPaths, cli_session: str) -> list[str]:
    """Resume the session; a new one begins empty, or with what another one knew at the place where it branches."""
    if place.transcripts(cli_session):
        return [f"--resume={cli_session}"]
    begun = [f"--session-id={cli_session}"]
    if spec.session.branch_at and (origin := place.holding(spec.session.branch_at)):
        return [f"--resume={origin}", f"--resume-session-at={spec.session.branch_at}", "--fork-session", *begun]
    return begun


def environment(spec: Spec, place: CliPaths, tools: Mapping[str, str] = NO_LAUNCHER) -> dict[str, str]:
    """Return the CLI's whole environment. The token opens the model for this session and nothing else."""
    return {
        **spec.secrets,  # first, so that no secret can replace a variable of ours
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


def terminal_environment(spec: Spec, place: CliPaths) -> dict[str, str]:
    """Return the environment of a person's terminal: the way out of the box, but neither secrets nor the model.

    The agent can write in the home, so its files there say nothing about how the shell or its line editor begins.
    """
    return {
        "PATH": PATH,
        "HOME": str(place.home),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "TMPDIR": tempfile.gettempdir(),
        "PS1": r"\w \$ ",
        "INPUTRC": "/dev/null",
        "NO_PROXY": _OURSELVES,
        "no_proxy": _OURSELVES,
        **_proxies(spec, place),
    }


def _pinned_env(place: CliPaths) -> dict[str, str]:
    """Return the variables that a folder's settings must not change: the model's address. They stand in the arguments,
    so none is secret.
    """
    return {
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{place.port}",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "PATH": PATH,
        "NO_PROXY": _OURSELVES,
        "no_proxy": _OURSELVES,
    }


def _proxies(spec: Spec, place: CliPaths) -> dict[str, str]:
    """Return the proxy variables in capitals and in small letters, because each program knows only one spelling."""
    way = f"http://oma:{spec.token}@127.0.0.1:{place.port}"
    ours = {"HTTPS_PROXY": way, "HTTP_PROXY": way, "ALL_PROXY": way}
    return ours | {name.lower(): value for name, value in ours.items()}
