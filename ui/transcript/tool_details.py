"""What stands under the line of each tool's card: one function a tool, and one for tools that nobody knows.

A new tool needs its words in tool_labels, and its function here only if names and values do not tell enough.
"""

from collections.abc import Callable
from html import escape
from typing import Any, Final, NamedTuple

import msgspec

from core.domain.events import ToolReturned
from ui.layout.i18n import Translations
from ui.transcript import addresses, ansi, diff, markdown, pictures, tool_labels
from ui.transcript.tool_call import ToolCall

HEAD_CHARS: Final = 2_000  # of a tool's output
TAIL_CHARS: Final = 1_000  # and of its end, where errors stand; what is between is said to be there
LIVE_CHARS: Final = 4_000  # of the end of what a running command has printed
FIELD_CHARS: Final = 1_000
DIFF_LINES: Final = 200
OPEN_LINES: Final = 14  # details of up to this many lines are shown at once
CLOSED: Final = OPEN_LINES + 1


class Details(NamedTuple):
    """The HTML under a line, and about how many lines it fills."""

    html: str = ""
    lines: int = 0

    def __add__(self, other: object) -> "Details":
        more = other if isinstance(other, Details) else Details()
        return Details(self.html + more.html, self.lines + more.lines)


Body = Callable[[ToolCall, Translations], Details]


def details(call: ToolCall, words: Translations) -> Details:
    """What this call was given, what it prints while it runs, and what it returned."""
    tool = call.call.name
    body = BODIES.get(tool, _nothing if tool in tool_labels.KINDS else _fields)(call, words)
    if call.state == "running" and call.output:
        live = f'<div class="out live" data-testid="live-output" dir="ltr">{running_output(call)}</div>'
        body += Details(live, CLOSED)
    result = call.result
    if result is None:
        return body
    if shown := pictures.html(result.pictures, words.t("act.picture")):
        body += Details(shown, 1)
    return body + _result(call, result, words)


def _result(call: ToolCall, result: ToolReturned, words: Translations) -> Details:
    """What the tool said. That of a denied call repeats the denial to the model, and is left out."""
    tool = call.call.name
    quiet = call.state == "denied" or (tool in tool_labels.QUIET and result.ok)
    if quiet or not result.content.strip():
        return Details()
    if tool in tool_labels.DELEGATING and result.ok:
        return Details(f'<div class="prose" dir="auto">{markdown.render(result.content)}</div>', CLOSED)
    lines = result.content.strip().count("\n") + 1 if tool == "Bash" else CLOSED
    return Details(output(result, words), lines)


def _nothing(call: ToolCall, words: Translations) -> Details:
    return Details()


def _edit(call: ToolCall, words: Translations) -> Details:
    shown = diff.near(diff.changes(call.call.name, call.call.input))
    left = len(shown) - DIFF_LINES
    rest = f'<p class="meta">{escape(words.t("act.rest_lines", n=left))}</p>' if left > 0 else ""
    return Details(diff.html(shown[:DIFF_LINES]) + rest, len(shown))


def _command(call: ToolCall, words: Translations) -> Details:
    """A command of several lines; one of one line stands in the card's line."""
    if "\n" not in call.target.strip():
        return Details()
    return Details(markdown.code_block(call.target, "bash"), call.target.count("\n") + 1)


def _draft(call: ToolCall, words: Translations) -> Details:
    said = _text(call, "description")
    return Details(f'<p class="meta about">{escape(cut(said, FIELD_CHARS), quote=False)}</p>' if said else "", 1)


def _web(call: ToolCall, words: Translations) -> Details:
    """The page that was read, as a link, and what was asked about it."""
    asked = _text(call, "prompt")
    address = addresses.bare_link(call.target) if call.call.name == "WebFetch" else ""
    parts = [f"<p>{address}</p>"] if address else []
    parts += [f'<p dir="auto">{escape(cut(asked, FIELD_CHARS), quote=False)}</p>'] if asked else []
    return Details(f'<div class="meta about">{"".join(parts)}</div>' if parts else "", CLOSED)


def _search(call: ToolCall, words: Translations) -> Details:
    """Where and how it searches, apart from the pattern in the card's line."""
    given = {key: value for key, value in call.call.input.items() if key != "pattern"}
    return Details(rows(given, words), CLOSED)


def _delegate(call: ToolCall, words: Translations) -> Details:
    """What a sub-agent was told. Its steps follow in the card."""
    told = _text(call, "prompt")
    html = f'<p class="meta about plain" dir="auto">{escape(cut(told, FIELD_CHARS), quote=False)}</p>' if told else ""
    return Details(html, CLOSED)


def _fields(call: ToolCall, words: Translations) -> Details:
    return Details(rows(call.call.input, words), CLOSED)


BODIES: Final[dict[str, Body]] = {
    **dict.fromkeys(tool_labels.EDITING, _edit),
    **dict.fromkeys(("Grep", "Glob"), _search),
    **dict.fromkeys(("WebFetch", "WebSearch"), _web),
    **dict.fromkeys(tool_labels.DELEGATING, _delegate),
    "Bash": _command,
    tool_labels.DRAFT: _draft,
}


def output(result: ToolReturned, words: Translations) -> str:
    """Its beginning and its end; what is left out, here or before it was stored, is counted."""
    text = result.content.strip("\n")
    head, tail, left = ansi.cut(text, HEAD_CHARS, TAIL_CHARS)
    left += max(0, result.full_size - len(result.content))
    rest = (
        f'<span class="rest">{words.t("act.rest", n=left, all=words.number(result.full_size))}</span>' if left else ""
    )
    fail = "" if result.ok or result.stopped else " fail"
    parts = (rest, head, tail) if result.stopped else (head, rest, tail)  # of a stopped command the end is stored
    return f'<div class="out{fail}" dir="ltr">{"".join(parts)}</div>'


def running_output(act: ToolCall) -> str:
    """The inside of the box in which a running command prints."""
    _, tail, _ = ansi.cut(act.output, 0, LIVE_CHARS)
    return tail or ansi.render(act.output)


def rows(given: dict[str, Any], words: Translations) -> str:
    """A tool's input as names and values."""
    shown = (
        f"<div><dt>{escape(key)}</dt><dd>{escape(tool_labels.visible(cut(value, FIELD_CHARS)), quote=False)}</dd></div>"
        for key, value in fields(given, words)
    )
    return f'<dl class="fields">{"".join(shown)}</dl>' if given else ""


# Names of a tool's inputs that have a word of ours; others are shown as they are.
FIELDS: Final = frozenset(
    "url prompt query pattern path file_path command subagent_type timeout run_in_background name icon".split()
)


def fields(given: dict[str, Any], words: Translations) -> list[tuple[str, str]]:
    """A tool's input as names and values: names in words if we have any, strings as they are, the rest as JSON."""
    encode = msgspec.json.encode
    return [
        (
            words.t(f"field.{key}") if key in FIELDS else key,
            value if isinstance(value, str) else encode(value).decode(),
        )
        for key, value in given.items()
    ]


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, and a sign that there are more."""
    return text if len(text) <= limit else text[:limit] + "…"


def _text(call: ToolCall, name: str) -> str:
    value = call.call.input.get(name)
    return value if isinstance(value, str) else ""
