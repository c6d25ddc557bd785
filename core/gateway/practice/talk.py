"""A Messages request, read as a conversation: who said what, which tools were called, and how that ended.

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
class Said:
    """Words of the person."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Words of the platform: how a question that was left open has been answered meanwhile."""

    text: str

    @property
    def allowed(self) -> bool:
        text = self.text.lower()
        return not any(word in text for word in AGAINST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """Words of the model."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A use of a tool and its end; `outcome` is None while there is none."""

    id: str
    name: str
    input: dict[str, Any]
    outcome: Outcome | None = None
    result: str = ""


Item = Said | Noted | Replied | Called

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
HANGUL = re.compile(r"[가-힣ㄱ-ㅎㅏ-ㅣ]")
LATIN = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One request, understood."""

    items: tuple[Item, ...]
    tools: frozenset[str]
    later_tools: bool  # DRAFT is there, but has to be looked up first
    folder: str
    agent: str  # the name of the agent that talks; empty in a builder session
    built: str  # the name of the agent that was in the folder before this conversation; empty if there was none

    def words(self) -> tuple[tuple[int, Said | Noted], ...]:
        """All that was said or noted, with its place."""
        return tuple((i, item) for i, item in enumerate(self.items) if isinstance(item, Said | Noted))

    def calls(self, after: int) -> tuple[Called, ...]:
        return tuple(item for item in self.items[after + 1 :] if isinstance(item, Called))

    def language(self, upto: int) -> Language:
        """Of the last words up to this place that show one."""
        for item in reversed(self.items[: upto + 1]):
            if isinstance(item, Said):
                if HANGUL.search(item.text):
                    return "ko"
                if LATIN.search(item.text):
                    return "en"
        return "ko"


def read(body: dict[str, Any]) -> Talk:
    """The conversation of a Messages request."""
    messages = _objects(body.get("messages"))
    items: list[Item] = []
    for message in messages:
        for item in _items(message):
            _add(items, item)
    tools = frozenset(str(tool.get("name")) for tool in _objects(body.get("tools")))
    around = "\n".join([*_texts(body.get("system")), *_asides(messages)])
    found = FOLDER.findall(around)
    return Talk(
        items=tuple(items),
        tools=tools,
        later_tools=DRAFT not in tools and "ToolSearch" in tools and f"\n{DRAFT}" in around,
        folder=found[-1].strip() if found else "",
        agent=named.group(1) if (named := AGENT.search(around)) else "",
        built=_built(items, around, found[-1].strip() if found else ""),
    )


def _built(items: list[Item], around: str, folder: str) -> str:
    """The CLI shows the folder's CLAUDE.md to the model, also one that was made earlier in the same conversation."""
    for item in items:
        if isinstance(item, Called) and item.name == "Write" and "created" in item.result:
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
                yield Replied(text=str(block.get("text", "")))
            case "assistant", "tool_use":
                given = block.get("input")
                yield Called(
                    id=str(block.get("id", "")),
                    name=str(block.get("name", "")),
                    input=given if isinstance(given, dict) else {},
                )


def _said(raw: str) -> Iterator[Said | Noted]:
    text = REMINDER.sub("", raw).strip()
    if text.startswith(NOTES):
        yield Noted(text=text)
    elif text and not text.startswith(NOT_SAID):
        yield Said(text=text)


def _add(items: list[Item], item: Item | tuple[str, Outcome, str]) -> None:
    """Append; a result ends the call that it belongs to, in that call's own place."""
    if not isinstance(item, tuple):
        items.append(item)
        return
    id, outcome, result = item
    for place in range(len(items) - 1, -1, -1):
        call = items[place]
        if isinstance(call, Called) and call.id == id:
            items[place] = Called(id=id, name=call.name, input=call.input, outcome=outcome, result=result)
            return


def _outcome(block: dict[str, Any], text: str) -> Outcome:
    """The CLI says of a denied call only that it is an error; a call that ran and failed says so in its own way."""
    if not block.get("is_error"):
        return "ok"
    ran = text.startswith(("Exit code", "Error", "<tool_use_error>", "Command timed out", "MCP error"))
    return "failed" if ran or "InputValidationError" in text else "denied"


def _asides(messages: list[dict[str, Any]]) -> Iterator[str]:
    """What the CLI tells the model beside the conversation."""
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
