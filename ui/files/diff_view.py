"""A change as HTML: both line numbers, the sign, and the words that differ within a line marked."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from html import escape
from typing import Final

from core.domain.visible_text import visible
from ui.transcript import diff
from ui.transcript.diff import Line

MOST_LINES: Final = 600  # shown of one change
CONTEXT: Final = 3
WORD_CHARS: Final = 400  # longer lines are not compared by words
Row = tuple[Line, str, str]  # a line with its number before and after


def html(before: str, after: str) -> str:
    """The changed lines with some around them. All text is escaped."""
    rows = list(_near(list(_numbered(diff.lines(before, after)))))
    shown = rows[:MOST_LINES]
    body = "".join(_row(row, partner) for row, partner in zip(shown, _partners(shown), strict=True))
    more = f'<p class="tiny">+{len(rows) - MOST_LINES}</p>' if len(rows) > MOST_LINES else ""
    return f'<div class="change-diff">{body}</div>{more}'


def _numbered(lines: list[Line]) -> Iterator[Row]:
    old = new = 0
    for line in lines:
        old += line.kind in ("same", "del")
        new += line.kind in ("same", "add")
        yield line, str(old) if line.kind != "add" else "", str(new) if line.kind != "del" else ""


def _near(rows: list[Row]) -> Iterator[Row]:
    """Only the changed rows and those around them, with a gap between places that are apart."""
    changed = [at for at, (line, _, _) in enumerate(rows) if line.kind != "same"]
    wanted = {at + step for at in changed for step in range(-CONTEXT, CONTEXT + 1)}
    last = -1
    for at, row in enumerate(rows):
        if at in wanted:
            if last >= 0 and at > last + 1:
                yield Line("gap", ""), "", ""
            last = at
            yield row


def _partners(rows: list[Row]) -> list[str | None]:
    """For each changed line the line that it replaces or is replaced by: those of blocks of the same length."""
    found: list[str | None] = [None] * len(rows)
    at = 0
    while at < len(rows):
        out = at
        while out < len(rows) and rows[out][0].kind == "del":
            out += 1
        into = out
        while into < len(rows) and rows[into][0].kind == "add":
            into += 1
        if out > at and out - at == into - out:
            for step in range(out - at):
                found[at + step], found[out + step] = rows[out + step][0].text, rows[at + step][0].text
        at = max(into, at + 1)
    return found


def _row(row: Row, partner: str | None) -> str:
    line, old, new = row
    text = escape(visible(line.text), quote=False)
    if partner is not None and max(len(line.text), len(partner)) <= WORD_CHARS:
        text = _marked(line.text, partner)
    sign = diff.SIGNS[line.kind]
    return f'<div class="{line.kind}"><span>{old}</span><span>{new}</span><span>{sign}</span><span>{text}</span></div>'


def _marked(text: str, other: str) -> str:
    """The line with what is not in the other one marked."""
    parts, at = [], 0
    for block in SequenceMatcher(None, text, other, autojunk=False).get_matching_blocks():
        if block.a > at:
            parts.append(f"<b>{escape(visible(text[at : block.a]), quote=False)}</b>")
        parts.append(escape(visible(text[block.a : block.a + block.size]), quote=False))
        at = block.a + block.size
    return "".join(parts)
