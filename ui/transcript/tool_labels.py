"""The words for tool calls: icon, verb and object of each, taken from the tool's own input."""

import re
from typing import Any, Final

import msgspec

from core.domain.visible_text import visible as visible
from core.protocol import platform_tools as ours

AGENT_FOLDER: Final = re.compile(r"^.{0,200}?/agents/[a-z0-9]{12}/")
HOME: Final = re.compile(r"^/home/agent/")
TRY: Final = ours.TRY_AGENT_TOOL
DRAFT: Final = ours.DRAFT_AGENT_TOOL
OBJECT_CHARS: Final = 200  # of a line; the whole is in the details


class ToolKind(msgspec.Struct, frozen=True):
    """The words for one tool's calls. `verb` is the key `act.<verb>`; `fields` may hold the object, the first that
    exists wins.
    """

    verb: str
    icon: str
    fields: tuple[str, ...]


KINDS: Final[dict[str, ToolKind]] = {
    "Bash": ToolKind("run", "term", ("command",)),
    "BashOutput": ToolKind("watch", "term", ("bash_id",)),
    "KillShell": ToolKind("kill", "stop", ("shell_id",)),
    "Read": ToolKind("read", "file", ("file_path",)),
    "Write": ToolKind("write", "edit", ("file_path",)),
    "Edit": ToolKind("edit", "edit", ("file_path",)),
    "MultiEdit": ToolKind("edit", "edit", ("file_path",)),
    "NotebookEdit": ToolKind("edit", "edit", ("notebook_path",)),
    "Glob": ToolKind("find", "folder", ("pattern",)),
    "Grep": ToolKind("search", "search", ("pattern",)),
    "LS": ToolKind("list", "folder", ("path",)),
    "WebFetch": ToolKind("fetch", "web", ("url",)),
    "WebSearch": ToolKind("websearch", "web", ("query",)),
    "Task": ToolKind("delegate", "branch", ("description", "prompt")),
    "Agent": ToolKind("delegate", "branch", ("description", "prompt")),
    "Skill": ToolKind("skill", "book", ("skill", "command")),
    "ToolSearch": ToolKind("toolsearch", "search", ("query",)),
    "EnterPlanMode": ToolKind("planmode", "plan", ()),
    "TaskStop": ToolKind("kill", "stop", ("task_id", "shell_id")),
    "TaskOutput": ToolKind("watch", "term", ("task_id",)),
    DRAFT: ToolKind("draft", "spark", ("name",)),
    ours.REQUEST_SECRET_TOOL: ToolKind("secret", "key", ("name",)),
    ours.PROPOSE_SCHEDULE_TOOL: ToolKind("schedule", "cal", ("when", "cron", "at")),
    ours.PUBLISH_AGENT_TOOL: ToolKind("publish", "rocket", ("note",)),
    ours.READ_RUN_TOOL: ToolKind("readrun", "runs", ("run",)),
    TRY: ToolKind("try", "play", ("only",)),
}
ASKING: Final = frozenset({ours.REQUEST_SECRET_TOOL, ours.PROPOSE_SCHEDULE_TOOL, ours.PUBLISH_AGENT_TOOL})
EDITING: Final = frozenset({"Write", "Edit", "MultiEdit", "NotebookEdit"})
DELEGATING: Final = frozenset({"Task", "Agent"})
QUIET: Final = EDITING | {
    DRAFT,
    *ASKING,
    "EnterPlanMode",
    "TaskStop",
}  # their input tells enough; the result is for the model
# Calls that are shown as their content (todos, a question, a plan), not as a tool card.
SILENT: Final = frozenset(
    {"TodoWrite", "TaskCreate", "TaskUpdate", "TaskList", "TaskGet", "AskUserQuestion", "ExitPlanMode"}
)


def kind(tool: str) -> ToolKind:
    """Return the kind of a tool; an unknown tool gets a generic one."""
    return KINDS.get(tool) or ToolKind("use", "spark", ())


def target(tool: str, given: dict[str, Any]) -> str:
    """Return the object of a call in full: a command, a path, a pattern; for an unknown tool its name."""
    if tool not in KINDS:
        return tool.removeprefix("mcp__").replace("__", " · ")
    found = next((given[field] for field in KINDS[tool].fields if isinstance(given.get(field), str)), "")
    return near_path(found) if any(field.endswith("path") for field in KINDS[tool].fields) else found


def short(text: str) -> str:
    """Return the first line, cut."""
    first, _, rest = text.strip().partition("\n")
    return first[:OBJECT_CHARS] + ("…" if rest or len(first) > OBJECT_CHARS else "")


def near_path(path: str) -> str:
    """Return a path relative to the agent's folder, else to the home."""
    return AGENT_FOLDER.sub("", path) if AGENT_FOLDER.match(path) else HOME.sub("~/", path)
