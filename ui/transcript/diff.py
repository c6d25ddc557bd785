"""The changes of an edit as lines: short diffs for the transcript, and full ones for request cards."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from html import escape
from typing import Any, Final, Literal

import msgspec

from core.domain.visible_text import visible

MAX_LINES: Final = 1_000  # comparison takes quadratic time; longer texts are shown as removed and added whole
# Pairs of lines compared for one tool call: the worst texts cost 2 µs per pair, and a call may have many edits.
PAIRS: Final = 200_000
CONTEXT: Final = 2

Kind = Literal["same", "del", "add", "gap"]
SIGNS: Final[dict[Kind, str]] = {"same": " ", "del": "−", "add": "+", "gap": "⋯"}


class Line(msgspec.Struct, frozen=True, array_like=True):
    """A line of a diff."""

    kind: Kind
    text: str


def edits(tool: str, given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (before, after) of each change that this call of an editing tool makes; a new file has no before."""
    if tool == "Write":
        return [("", _text(given, "content"))]
    if tool == "NotebookEdit":
        return [("", _text(given, "new_source"))]
    many = given.get("edits") if tool == "MultiEdit" else [given]
    changes = [one for one in many if isinstance(one, dict)] if isinstance(many, list) else []
    return [(_text(one, "old_string"), _text(one, "new_string")) for one in changes]


def changes(tool: str, given: dict[str, Any]) -> list[Line]:
    """Return all lines of all edits of a call, in reading order."""
    shown: list[Line] = []
    pairs = 0
    for before, after in edits(tool, given):
        pairs += _pairs(before.count("\n") + 1, after.count("\n") + 1)
        shown += lines(before, after) if pairs <= PAIRS else _apart(before.splitlines(), after.splitlines())
    return shown


def lines(before: str, after: str) -> list[Line]:
    """Return all lines of both texts, in reading order."""
    old, new = before.splitlines(), after.splitlines()
    return _apart(old, new) if len(old) > MAX_LINES or len(new) > MAX_LINES else list(_compared(old, new))


def _pairs(old: int, new: int) -> int:
    """Estimate the pairs of lines that difflib compares. From 200 lines on it compares rare lines only."""
    return old * new if new < 200 else 50 * (old + new)


def _apart(old: list[str], new: list[str]) -> list[Line]:
    return [Line("del", text) for text in old] + [Line("add", text) for text in new]


def _compared(old: list[str], new: list[str]) -> Iterator[Line]:
    for tag, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            yield from (Line("same", text) for text in old[a:b])
        else:
            yield from (Line("del", text) for text in old[a:b])
            yield from (Line("add", text) for text in new[c:d])


def near(whole: list[Line], context: int = CONTEXT) -> list[Line]:
    """Return only the changed lines and a few around them."""
    changed = [at for at, line in enumerate(whole) if line.kind != "same"]
    wanted = {at + step for at in changed for step in range(-context, context + 1)}
    kept: list[Line] = []
    for at, line in enumerate(whole):
        if at in wanted:
            kept.append(line)
        elif kept and kept[-1].kind != "gap":
            kept.append(Line("gap", ""))
    return kept[:-1] if kept and kept[-1].kind == "gap" else kept


def html(shown: list[Line]) -> str:
    """Return the lines in the HTML of the style sheet's `.diff`."""
    rows = (
        f'<div class="{kind}"><span>{SIGNS[kind]}</span><span>{escape(visible(text), quote=False)}</span></div>'
        for kind, text in ((line.kind, line.text) for line in shown)
    )
    return f'<div class="block"><div class="diff">{"".join(rows)}</div></div>'


def counts(whole: list[Line]) -> tuple[int, int]:
    """Return (lines added, lines removed)."""
    return sum(line.kind == "add" for line in whole), sum(line.kind == "del" for line in whole)


def _text(given: dict[str, Any], key: str) -> str:
    value = given.get(key, "")
    return value if isinstance(value, str) else ""
