"""Classifies the tool uses of a conversation by the builder's steps, and reports their results."""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.gateway.practice.conversation import REMINDER, PastToolUse
from core.gateway.practice.phrasebook import Sentences
from core.protocol import platform_tools as ours
from core.protocol.platform_tools import DRAFT_AGENT_TOOL as DRAFT

NUMBERED = re.compile(r"^ *\d+[\t→]", re.MULTILINE)  # a line as the CLI's Read shows it
OUTPUT_LINES = 40
OUTPUT_CHARS = 3_000
NOTE_CHARS = 300
QUOTED_CALL = re.compile(r"the use of (\w+) with (\{.*)", re.DOTALL)
# Denials by the CLI and the runner that nobody wrote by hand.
WITHOUT_WORDS = (
    "The user doesn't want",
    "The user does not want",
    "Claude requested permissions",
    "This command requires approval",
    "Permission to use",
    "[Request interrupted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUseBlock:
    """A tool use that the model asks for."""

    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """A block of text."""

    text: str


Block = TextBlock | ToolUseBlock


class Step(StrEnum):
    """The steps of building an agent, in order."""

    DRAFT = "draft"
    RULES = "rules"
    SCRIPT = "script"
    RUN = "run"
    SECRET = "secret"  # noqa: S105  # a step
    TRY = "try"
    SCHEDULE = "schedule"
    PUBLISH = "publish"


def step_of(call: PastToolUse) -> Step | None:
    """Return the step that a call belongs to; calls that the CLI makes on its own belong to none."""
    path = str(call.input.get("file_path", ""))
    match call.name:
        case "Write" if path.endswith("CLAUDE.md"):
            return Step.RULES
        case "Write" if path.endswith("main.py"):
            return Step.SCRIPT
        case "Bash" if "main.py" in str(call.input.get("command", "")):
            return Step.RUN
        case name if name == DRAFT:
            return Step.DRAFT
        case ours.REQUEST_SECRET_TOOL:
            return Step.SECRET
        case ours.TRY_AGENT_TOOL:
            return Step.TRY
        case ours.PROPOSE_SCHEDULE_TOOL:
            return Step.SCHEDULE
        case ours.PUBLISH_AGENT_TOOL:
            return Step.PUBLISH
    return None


def text_read(calls: tuple[PastToolUse, ...]) -> str:
    """Return CLAUDE.md as it was read last; empty if it was not read."""
    for call in reversed(calls):
        if call.name == "Read" and call.outcome == "ok" and str(call.input.get("file_path", "")).endswith("CLAUDE.md"):
            return NUMBERED.sub("", REMINDER.sub("", call.result))
    return ""


def run_script(description: str) -> ToolUseBlock:
    return ToolUseBlock(name="Bash", input={"command": "python3 main.py", "description": description})


def note_of(denial: str) -> str:
    """Return what the person wrote with a denial, without the CLI's own words; empty if nothing."""
    _, found, said = denial.partition("the user said:")
    text = said if found else denial
    if not found and text.startswith(WITHOUT_WORDS):
        return ""
    return " ".join(text.split())[:NOTE_CHARS]


def added_to(note: str) -> str:
    """Return what the person wrote with a decision, from a note of the platform."""
    _, found, said = note.partition("They add: ")
    return " ".join(said.removesuffix("]").split())[:NOTE_CHARS] if found else ""


def refusal(words: Sentences, note: str, *, of_run: bool) -> str:
    """Return the answer to a denial, with what the person wrote."""
    text = words.denied_run if of_run else words.denied_write
    return f"{words.denied_said.format(message=note)}\n\n{text}" if note else text


def run_report(call: PastToolUse, words: Sentences, report: str) -> str:
    """Report the result of a run; `report` is the template for a run that succeeded."""
    match call.outcome:
        case "ok":
            return report.format(output=fence(call.result) if call.result.strip() else words.no_output)
        case "denied":
            return refusal(words, note_of(call.result), of_run=True)
    return words.failed_run.format(output=fence(call.result))


def call_in(note: str) -> ToolUseBlock | None:
    """Return the call that a note of the platform quotes: "the use of Bash with {…}"."""
    if not (found := QUOTED_CALL.search(note)):
        return None
    try:
        given, _ = json.JSONDecoder().raw_decode(found.group(2))
    except (ValueError, RecursionError):
        return None  # cut, because it was long
    return ToolUseBlock(name=found.group(1), input=given) if isinstance(given, dict) else None


def fence(output: str) -> str:
    """Return output as a code block that nothing in it can close."""
    lines = output.strip("\n")[:OUTPUT_CHARS].splitlines()
    if len(lines) > OUTPUT_LINES:
        lines = [*lines[:OUTPUT_LINES], "…"]
    marks = "```"
    while any(marks in line for line in lines):
        marks += "`"
    return "\n".join([marks, *lines, marks])
