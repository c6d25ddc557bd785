"""What the platform decides about a use of a tool before a person is asked. It decides, not the mode of the CLI.

An agent's `permission_mode` keeps the names of the CLI's modes, so that records of earlier versions stay valid:
`default` asks for every edit and every command, `acceptEdits` lets edits inside the agent's folder and commands that
only read pass, `plan` lets only reading pass, `dontAsk` refuses what no rule allows and asks nobody. Rules that a
person wrote count in all of them.
"""

from enum import StrEnum
from typing import Final, Literal, NamedTuple

from core.domain.permission_rules import EDITING, ToolUse, allowing
from core.domain.unasked_commands import runs_unasked

ASKED_TOOLS: Final = ("Bash", "Edit", "Write", "NotebookEdit")  # the CLI is told to ask us about each use of these


class Mode(StrEnum):
    """How much an agent may do without a person's decision."""

    ASK = "default"
    EDITS = "acceptEdits"
    PLAN = "plan"
    LISTED = "dontAsk"


class PolicyDecision(NamedTuple):
    """`by` says what decided: the reading list, the edits policy, rules (in `rules`), or the mode."""

    outcome: Literal["allow", "deny", "ask"]
    by: Literal["", "reading", "edits", "rule", "mode", "size"] = ""
    rules: tuple[str, ...] = ()


ASK: Final = PolicyDecision("ask")


def mode_of(permission_mode: str) -> Mode:
    """The mode of a record; a name that we do not know asks for everything."""
    return Mode(permission_mode) if permission_mode in set(Mode) else Mode.ASK


def decide(
    mode: Mode, rules: tuple[str, ...], use: ToolUse, *, edits_pass: bool, reading_passes: bool
) -> PolicyDecision:
    """Allow, deny or ask a person.

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
