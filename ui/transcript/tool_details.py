"""The details under the line of a tool's card: a function for each tool, and one for unknown tools.

A new tool needs its words in tool_labels, and a function here only if its names and values do not tell enough.
"""

from collections.abc import Callable
from html import escape
from typing import Any, Final, NamedTuple

import msgspec

from core.domain.events import ToolReturned
from ui.layout.i18n import Translations
from ui.transcript import addresses, ansi, diff, markdown, pictures, tool_labels
from ui.transcript.tool_call import ToolCallView

HEAD_CHARS: Final = 2_000  # of a tool's output
TAIL_CHARS: Final = 1_000  # and of its end, where errors stand; the characters in between are counted
LIVE_CHARS: Final = 4_000  # last characters of a running command's output
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


Body = Callable[[ToolCallView, Translations], Details]


def details(call: ToolCallView, words: Translations) -> Details:
    """Return the input of this call, its live output while it runs, and its result."""
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


def _result(call: ToolCallView, result: ToolReturned, words: Translations) -> Details:
    """Return the tool's result. A denied call's result only repeats the denial, so it is left out."""
    tool = call.call.name
    quiet = call.state == "denied" or (tool in tool_labels.QUIET and result.ok)
    if quiet or not result.content.strip():
        return Details()
    if tool in tool_labels.DELEGATING and result.ok:
        return Details(f'<div class="prose" dir="auto">{markdown.render(result.content)}</div>', CLOSED)
    lines = result.content.strip().count("\n") + 1 if tool == "Bash" else CLOSED
    return Details(output(result, words), lines)


def _nothing(call: ToolCallView, words: Translations) -> Details:
    return Details()


def _edit(call: ToolCallView, words: Translations) -> Details:
    shown = diff.near(diff.changes(call.call.name, call.call.input))
    left = len(shown) - DIFF_LINES
    rest = f'<p class="meta">{escape(words.t("act.rest_lines", n=left))}</p>' if left > 0 else ""
    return Details(diff.html(shown[:DIFF_LINES]) + rest, len(shown))


def _command(call: ToolCallView, words: Translations) -> Details:
    """Return a command of several lines; a single line stands in the card's line already."""
    if "\n" not in call.target.strip():
        return Details()
    return Details(markdown.code_block(call.target, "bash"), call.target.count("\n") + 1)


def _draft(call: ToolCallView, words: Translations) -> Details:
    said = _text(call, "description")
    return Details(f'<p class="meta about">{escape(cut(said, FIELD_CHARS), quote=False)}</p>' if said else "", 1)


def _web(call: ToolCallView, words: Translations) -> Details:
    """Return the page that was read, as a link, and the question about it."""
    asked = _text(call, "prompt")
    address = addresses.bare_link(call.target) if call.call.name == "WebFetch" else ""
    parts = [f"<p>{address}</p>"] if address else []
    parts += [f'<p dir="auto">{escape(cut(asked, FIELD_CHARS), quote=False)}</p>'] if asked else []
    return Details(f'<div class="meta about">{"".join(parts)}</div>' if parts else "", CLOSED)


def _search(call: ToolCallView, words: Translations) -> Details:
    """Return where and how it searches, without the pattern, which stands in the card's line."""
    given = {key: value for key, value in call.call.input.items() if key != "pattern"}
    return Details(rows(given, words), CLOSED)


def _delegate(call: ToolCallView, words: Translations) -> Details:
    """Return the task of a sub-agent. Its steps follow in the card."""
    told = _text(call, "prompt")
    html = f'<p class="meta about plain" dir="auto">{escape(cut(told, FIELD_CHARS), quote=False)}</p>' if told else ""
    return Details(html, CLOSED)


def _fields(call: ToolCallView, words: Translations) -> Details:
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
    """Return the beginning and the end of a result. The characters left out, here or before it was stored,
    are counted.
    """
    text = result.content.strip("\n")
    head, tail, left = ansi.cut(text, HEAD_CHARS, TAIL_CHARS)
    left += max(0, result.full_size - len(result.content))
    rest = (
        f'<span class="rest">{words.t("act.rest", n=left, all=words.number(result.full_size))}</span>' if left else ""
    )
    fail = "" if result.ok or result.stopped else " fail"
    parts = (rest, head, tail) if result.stopped else (head, rest, tail)  # of a stopped command only the end is stored
    return f'<div class="out{fail}" dir="ltr">{"".join(parts)}</div>'


def running_output(act: ToolCallView) -> str:
    """Return the inside of the output box of a running command."""
    _, tail, _ = ansi.cut(act.output, 0, LIVE_CHARS)
    return tail or ansi.render(act.output)


def rows(given: dict[str, Any], words: Translations) -> str:
    """Return a tool's input as names and values, in HTML."""
    shown = (
        f"<div><dt>{escape(key)}</dt><dd>{escape(tool_labels.visible(cut(value, FIELD_CHARS)), quote=False)}</dd></div>"
        for key, value in fields(given, words)
    )
    return f'<dl class="fields">{"".join(shown)}</dl>' if given else ""


# Names of inputs that the catalogues translate; others are shown as they are.
FIELDS: Final = frozenset(
    "url prompt query pattern path file_path command subagent_type timeout run_in_background name icon".split()
)


def fields(given: dict[str, Any], words: Translations) -> list[tuple[str, str]]:
    """Return a tool's input as names and values: translated names, strings as they are, everything else as JSON."""
    encode = msgspec.json.encode
    return [
        (
            words.t(f"field.{key}") if key in FIELDS else key,
            value if isinstance(value, str) else encode(value).decode(),
        )
        for key, value in given.items()
    ]


def cut(text: str, limit: int) -> str:
    """Return at most `limit` characters, and a sign if there are more."""
    return text if len(text) <= limit else text[:limit] + "…"


def _text(call: ToolCallView, name: str) -> str:
    value = call.call.input.get(name)
    return value if isinstance(value, str) else ""
