"""The hooks, helpers and servers that an agent's folder asks for. Its files may come from anywhere, so a person
decides.

Hooks and helpers never run (core.protocol.managed_settings). A server of `.mcp.json` runs if one of the agent's rules
names it, and only a person can add a rule: `mcp__github` allows both the server and the use of its tools.
"""

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]

SETTINGS_BYTES = 256 * 1024  # a larger file is no settings file; the CLI's own state may be larger
STATE_BYTES = 4 * 1024**2
SERVERS = 20
_HELD = ("hooks", "apiKeyHelper", "awsAuthRefresh", "awsCredentialExport", "gcpAuthRefresh", "otelHeadersHelper")
_HELD_ENV = re.compile(r"ANTHROPIC_|CLAUDE_CODE_USE_|NO_PROXY$|no_proxy$")
_TRUST = "hasTrustDialogAccepted"


class FolderRequests(NamedTuple):
    """The requests of a folder. `servers` may be started; `held` names those that are refused."""

    servers: Json
    held: tuple[str, ...]


def wants(folder: Path, rules: Iterable[str]) -> FolderRequests:
    """Return what the folder asks for, judged by the agent's rules."""
    settings = _read(folder / ".claude" / "settings.json", SETTINGS_BYTES)
    held = [name for name in _HELD if settings.get(name)]
    env = settings.get("env")
    held += [f"env.{name}" for name in (env if isinstance(env, dict) else {}) if _HELD_ENV.match(name)]
    asked = _read(folder / ".mcp.json", SETTINGS_BYTES).get("mcpServers")
    allowed: Json = {}
    for name, server in list((asked if isinstance(asked, dict) else {}).items())[:SERVERS]:
        if isinstance(server, dict) and _named(name, rules):
            allowed[name] = server
        else:
            held.append(f"mcp__{_word(name)}")
    return FolderRequests(allowed, tuple(word[:80] for word in held[:SERVERS]))


def sets_environment(folder: Path) -> bool:
    """True if the folder's settings give variables to commands: they may lead programs elsewhere (BASH_FUNC_ls%%)."""
    path = folder / ".claude" / "settings.json"
    return bool(_read(path, SETTINGS_BYTES).get("env")) or (path.exists() and path.stat().st_size > SETTINGS_BYTES)


def distrust(home: Path) -> None:
    """Remove recorded acceptances of the CLI's trust dialog: only an agent can have written them.

    In a trusted folder the CLI follows `permissions.allow` of the folder's settings without asking.
    """
    path = home / ".claude.json"
    state = _read(path, STATE_BYTES)
    projects = state.get("projects")
    places = [state, *(projects.values() if isinstance(projects, dict) else ())]
    trusted = [place for place in places if isinstance(place, dict) and place.pop(_TRUST, False)]
    if trusted:
        draft = path.with_name(".claude.json.oma")
        draft.write_text(json.dumps(state))
        draft.replace(path)


def _named(server: str, rules: Iterable[str]) -> bool:
    word = f"mcp__{_word(server)}"
    return any(rule == word or rule.startswith(f"{word}__") for rule in rules)


def _word(server: str) -> str:
    """Return a server's name as it appears in the names of its tools."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", server)


def _read(path: Path, most_bytes: int) -> Json:
    """Return the JSON object in a small plain file; an empty one for anything else."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if path.is_file() and path.stat().st_size <= most_bytes:
            said = json.loads(path.read_text())
            return said if isinstance(said, dict) else {}
    return {}
