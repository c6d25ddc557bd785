"""The platform's decisions about uses of tools, made in the box: the policy, and facts that only the file
system has.
"""

import os
from pathlib import Path
from typing import Final

from core.domain.permission_policy import Mode, PolicyDecision, decide
from core.domain.permission_rules import EDITING, Offer, ToolUse, allowing, offer, parse_rules
from core.runner import truncation
from core.runner.folder_requests import sets_environment
from core.runner.pending_requests import KINDS, ToolRequest

# The shell reads these first; an alias or a function in them could replace a reading program by another one.
_START_FILES: Final = (".bashrc", ".bash_profile", ".bash_login", ".profile", ".bash_aliases", ".zshrc", ".zshenv")
_ORDINARY: Final = frozenset({"", "rule"})  # the CLI asks only because we told it to


class PermissionJudge:
    """Judges the requests of one CLI. `learn` adds rules from an "always allow"."""

    def __init__(self, mode: Mode, rules: tuple[str, ...], *, folder: Path, home: Path) -> None:
        self._mode, self._rules = mode, rules
        self.folder, self._home = folder, home

    def use_mode(self, mode: Mode) -> None:
        """Judge by another mode from now on."""
        self._mode = mode

    def learn(self, rules: tuple[str, ...]) -> None:
        """Add rules, which apply from now on."""
        self._rules = tuple(dict.fromkeys((*self._rules, *rules)))

    def judge(self, request: ToolRequest) -> PolicyDecision:
        """Allow, deny or ask. Questions and plans always go to a person."""
        if truncation.tool_input(request.input) != request.input:
            return PolicyDecision("deny", "size")
        if request.tool in KINDS:
            return PolicyDecision("ask")
        return decide(
            self._mode,
            self._rules,
            use := self.use_of(request),
            edits_pass=request.tool in EDITING and request.cli_reason in _ORDINARY and self._is_plain_file(use.path),
            reading_passes=request.tool == "Bash" and self._is_plain_shell(),
        )

    def use_of(self, request: ToolRequest) -> ToolUse:
        """Return the request with the real path of its file, links followed."""
        named = request.input.get("file_path") or request.input.get("notebook_path") or ""
        path = os.path.realpath(self.folder / named) if isinstance(named, str) and named and "\0" not in named else ""
        return ToolUse(request.tool, request.input, path, os.path.realpath(self.folder))

    def offer(self, request: ToolRequest) -> Offer:
        """Return the rules for "always allow", or why there are none."""
        return Offer("") if request.tool in KINDS else offer(self.use_of(request), request.rules)

    def allows(self, rules: str, request: ToolRequest) -> bool:
        """True if these rules allow this very request. Raises: BadInput: they are not valid rules."""
        return bool(allowing(parse_rules(rules), self.use_of(request)))

    def _is_plain_file(self, path: str) -> bool:
        """True if the file is in the agent's folder and no part of its path is hidden (.git, .claude, .mcp.json)."""
        folder = os.path.realpath(self.folder) + "/"
        return path.startswith(folder) and not any(part.startswith(".") for part in path[len(folder) :].split("/"))

    def _is_plain_shell(self) -> bool:
        """True if nothing can give the names of programs another meaning."""
        try:
            started = any((self._home / name).stat().st_size for name in _START_FILES if (self._home / name).exists())
        except OSError:
            return False
        return not started and not sets_environment(self.folder)
