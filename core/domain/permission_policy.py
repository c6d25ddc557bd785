"""The platform's decision about a use of a tool, before a person is asked. The mode of the CLI does not decide.

An agent's `permission_mode` keeps the names of the CLI's modes, so that records of earlier versions stay valid:
`default` asks for every edit and every command, `acceptEdits` allows edits inside the agent's folder and commands
that only read, `plan` allows reading only, `dontAsk` refuses everything that no rule allows, and asks nobody. Rules
that a person wrote count in all of them.
"""

from enum import StrEnum
from typing import Final, Literal, NamedTuple

from core.domain.permission_rules import EDITING, ToolUse, allowing
from core.domain.unasked_commands import runs_unasked

ASKED_TOOLS: Final = ("Bash", "Edit", "Write", "NotebookEdit")  # the CLI is told to ask us about each use of these


class Mode(StrEnum):
    """The permission mode of an agent: what it may do without a person's decision."""

    ASK = "default"
    EDITS = "acceptEdits"
    PLAN = "plan"
    LISTED = "dontAsk"


class PolicyDecision(NamedTuple):
    """A decision and its ground. `by` is the reading list, the edits policy, a rule (named in `rules`), the mode, or
    the size.
    """

    outcome: Literal["allow", "deny", "ask"]
    by: Literal["", "reading", "edits", "rule", "mode", "size"] = ""
    rules: tuple[str, ...] = ()


ASK: Final = PolicyDecision("ask")


def mode_of(permission_mode: str) -> Mode:
    """Return the mode of an agent's record; for an unknown name, the mode that asks for everything."""
    return Mode(permission_mode) if permission_mode in set(Mode) else Mode.ASK


def decide(
    mode: Mode, rules: tuple[str, ...], use: ToolUse, *, edits_pass: bool, reading_passes: bool
) -> PolicyDecision:
    """Decide whether this use of a tool is allowed, denied, or put before a person.

    `edits_pass`: this edit is of a file inside the agent's folder, and nothing sensitive. `reading_passes`: the shell
    is a plain one, so that the names of programs mean those programs.
    """
    if used := allowing(rules, use):
        return PolicyDecision("allow", "rule", used)
    if mode is not Mode.ASK and reading_passes and use.command and runs_unasked(use.command, folder=use.folder):
        return PolicyDecision("allow", "reading")
    if mode is Mode.EDITS and edits_pass and use.tool in EDITING:
        return PolicyDecision("allow", "edits")
    return PolicyDecision("deny", "mode") if mode is Mode.LISTED else ASK
