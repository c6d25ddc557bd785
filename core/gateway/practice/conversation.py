"""Reads a Messages request as a conversation: texts, tool uses and their results.

All of it comes from a box, so nothing is taken for granted about its shape.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from core.protocol.platform_tools import DRAFT_AGENT_TOOL as DRAFT

Language = Literal["ko", "en"]
Outcome = Literal["ok", "failed", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserText:
    """A text of the person."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformNote:
    """A note of the platform: how an open question was answered meanwhile."""

    text: str

    @property
    def allowed(self) -> bool:
        text = self.text.lower()
        return not any(word in text for word in AGAINST)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelText:
    """A text of the model."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PastToolUse:
    """A tool use in the conversation; `outcome` is None while it has no result."""

    id: str
    name: str
    input: dict[str, Any]
    outcome: Outcome | None = None
    result: str = ""


Item = UserText | PlatformNote | ModelText | PastToolUse

NOTES = ("[platform]", "[You were interrupted while waiting for the user's decision.")
AGAINST = ("denied", "decided against", "not allowed")
# What the CLI writes in the person's name.
NOT_SAID = (
    "[Request interrupted by user",
    "Continue from where you left off.",
    "<command-",
    "<local-command",
    "Caveat: The messages below were generated",
    "Tool loaded.",
)
REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
FOLDER = re.compile(r"(?:Primary w|W)orking directory: *(\S[^\n]*)")
GUIDE = re.compile(r"Contents of ([^\n]{0,4000}?/CLAUDE\.md)\b[^\n]{0,200}:\s{1,20}# +([^\n]{1,80})")
AGENT = re.compile(r'You are the agent "(.{1,200}?)" on Oh My Agent')
JUDGING = "You judge the answer of an AI agent by a rubric"
HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
LATIN = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatHistory:
    """A request as a conversation."""

    items: tuple[Item, ...]
    tools: frozenset[str]
    later_tools: bool  # DRAFT is there, but has to be looked up first
    folder: str
    agent: str  # the name of the agent that talks; empty in a builder session
    built: str  # the name of the agent that was in the folder before this conversation; empty if there was none
    judges: bool = False  # it is asked whether an answer fits a rubric, and nothing else

    def words(self) -> tuple[tuple[int, UserText | PlatformNote], ...]:
        """Return all texts of the person and notes of the platform, each with its position."""
        return tuple((i, item) for i, item in enumerate(self.items) if isinstance(item, UserText | PlatformNote))

    def calls(self, after: int) -> tuple[PastToolUse, ...]:
        return tuple(item for item in self.items[after + 1 :] if isinstance(item, PastToolUse))

    def language(self, upto: int) -> Language:
        """Return the language of the last text up to this position that shows one."""
        for item in reversed(self.items[: upto + 1]):
            if isinstance(item, UserText):
                if HANGUL.search(item.text):
                    return "ko"
                if LATIN.search(item.text):
                    return "en"
        return "ko"


def read_conversation(body: dict[str, Any]) -> ChatHistory:
    """Return the conversation of a Messages request."""
    messages = _objects(body.get("messages"))
    items: list[Item] = []
    for message in messages:
        for item in _items(message):
            _add(items, item)
    tools = frozenset(str(tool.get("name")) for tool in _objects(body.get("tools")))
    around = "\n".join([*_texts(body.get("system")), *_asides(messages)])
    found = FOLDER.findall(around)
    return ChatHistory(
        items=tuple(items),
        tools=tools,
        later_tools=DRAFT not in tools and "ToolSearch" in tools and f"\n{DRAFT}" in around,
        folder=found[-1].strip() if found else "",
        agent=named.group(1) if (named := AGENT.search(around)) else "",
        judges=JUDGING in around,
        built=_built(items, around, found[-1].strip() if found else ""),
    )


def _built(items: list[Item], around: str, folder: str) -> str:
    """Return the name of the agent whose CLAUDE.md was there before; the CLI also shows one of this conversation."""
    for item in items:
        if isinstance(item, PastToolUse) and item.name == "Write" and "created" in item.result:
            if str(item.input.get("file_path", "")).endswith("/CLAUDE.md"):
                return ""
    shown = [name for path, name in GUIDE.findall(around) if path == f"{folder.rstrip('/')}/CLAUDE.md"]
    return " ".join(shown[-1].split()) if shown else ""


def _items(message: dict[str, Any]) -> Iterator[Item | tuple[str, Outcome, str]]:
    role, content = message.get("role"), message.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else _objects(content)
    for block in blocks:
        match role, block.get("type"):
            case "user", "text":
                yield from _said(str(block.get("text", "")))
            case "user", "tool_result":
                text = "\n".join(_texts(block.get("content")))
                yield str(block.get("tool_use_id", "")), _outcome(block, text), text
            case "assistant", "text":
                yield ModelText(text=str(block.get("text", "")))
            case "assistant", "tool_use":
                given = block.get("input")
                yield PastToolUse(
                    id=str(block.get("id", "")),
                    name=str(block.get("name", "")),
                    input=given if isinstance(given, dict) else {},
                )


def _said(raw: str) -> Iterator[UserText | PlatformNote]:
    text = REMINDER.sub("", raw).strip()
    if text.startswith(NOTES):
        yield PlatformNote(text=text)
    elif text and not text.startswith(NOT_SAID):
        yield UserText(text=text)


def _add(items: list[Item], item: Item | tuple[str, Outcome, str]) -> None:
    """Append an item; a result replaces its tool use in that one's place."""
    if not isinstance(item, tuple):
        items.append(item)
        return
    id, outcome, result = item
    for place in range(len(items) - 1, -1, -1):
        call = items[place]
        if isinstance(call, PastToolUse) and call.id == id:
            items[place] = PastToolUse(id=id, name=call.name, input=call.input, outcome=outcome, result=result)
            return


def _outcome(block: dict[str, Any], text: str) -> Outcome:
    """Tell a denied call from one that ran and failed: the CLI marks both as errors."""
    if not block.get("is_error"):
        return "ok"
    ran = text.startswith(("Exit code", "Error", "<tool_use_error>", "Command timed out", "MCP error"))
    return "failed" if ran or "InputValidationError" in text else "denied"


def _asides(messages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what the CLI tells the model beside the conversation."""
    for message in messages:
        content = message.get("content")
        texts = _texts(content)
        if message.get("role") == "system":
            yield from texts
        elif message.get("role") == "user":
            yield from (found for text in texts for found in REMINDER.findall(text))


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [str(block.get("text", "")) for block in _objects(content) if block.get("type") == "text"]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
