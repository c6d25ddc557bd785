"""Short summaries of messages for lists: one line of plain words, without Markdown's marks.

The runner's news and the Store's records use the same functions, so that a list reads the same from either of them.
"""

import re
from collections.abc import Sequence

from core.domain.events import AnyEvent, Asked, Text
from core.domain.visible_text import visible

LINE_CHARS = 160
SUMMARY_CHARS = 200
TELLING = ("command", "file_path", "path", "url", "query", "pattern", "description", "name")  # of a tool's input
TAIL_CHARS = 10_000  # of a text; the last paragraph is near its end
TELLING_CHARS = 12  # a sentence shorter than this ("All right.") takes the next one along

FENCE = re.compile(r"\s*(?:```|~~~)")
HEADING = re.compile(r"\s*(?:#{1,6}\s|[-=*_]{3,}\s*$|\|)")  # and rules and tables: nothing to read in a list
ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+(?=\S)")
SENTENCE = re.compile(r"(?<=[.!?。…])\s+")
LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^()\n]{0,2000}\)")
# Only `_` needs a border after it: a Korean particle follows the others at once.
MARKED = re.compile(r"(\*\*|__|~~|`{1,2}|(?<![\w*])[*_](?=[^\s*_]))([^\n]{1,500}?)(?<=\S)\1(?:(?<!_)|(?!\w))")


def last_line(events: Sequence[AnyEvent]) -> str:
    """Return a line of the last thing that was said or asked; empty if these events have none."""
    for event in reversed(events):
        line = ""
        if isinstance(event, Text):
            line = gist(event.text, LINE_CHARS)
        elif isinstance(event, Asked):
            line = first_line(event.reason, LINE_CHARS) or cut(target(event), LINE_CHARS)
        if line:
            return line
    return ""


def target(asked: Asked) -> str:
    """Return the exact target of a request in one line for the inbox, without the tool's name."""
    if asked.questions:
        return first_line(asked.questions[0].text, SUMMARY_CHARS)
    if asked.plan:
        return first_line(asked.plan, SUMMARY_CHARS)
    telling = next((asked.input[name] for name in TELLING if isinstance(asked.input.get(name), str)), "")
    return first_line(telling, SUMMARY_CHARS) or cut(visible(asked.tool), SUMMARY_CHARS)


def gist(text: str, limit: int) -> str:
    """Return the main sentence of a text: the first of its last paragraph of prose; empty if it has none.

    Words that only lead to a list or to code are passed over as long as there are others.
    """
    prose, leading, items = _paragraphs(text)
    for part in (*reversed(prose), *reversed(leading), *items[:1]):
        if line := _first_sentence(_unmarked(part)):
            return cut(line, limit)
    return ""


def first_line(text: str, limit: int) -> str:
    """Return the first line with a word in it, without Markdown's marks at its beginning, cut to `limit` characters."""
    for line in text[:TAIL_CHARS].splitlines():
        if shown := _printable(visible(line)).strip().lstrip("#>*- ").strip():
            return cut(shown, limit)
    return ""


def cut(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _paragraphs(text: str) -> tuple[list[str], list[str], list[str]]:
    """Split the end of the text into paragraphs of prose, paragraphs that introduce a list, and items of lists."""
    prose: list[str] = []
    leading: list[str] = []
    items: list[str] = []
    lines: list[str] = []
    in_code = f"\n{text[:-TAIL_CHARS]}".count("\n```") % 2 == 1
    for line in [*text[-TAIL_CHARS:].splitlines(), ""]:
        item = None if in_code else ITEM.match(line)
        if item:
            items.append(line[item.end() :])
        if FENCE.match(line):
            in_code = not in_code
        elif not (item or in_code or HEADING.match(line)) and line.strip():
            lines.append(line.strip().lstrip("> "))
            continue
        if lines:
            (leading if item else prose).append(" ".join(lines))
            lines = []
    return prose, leading, items


def _first_sentence(part: str) -> str:
    """Return the first sentence, together with the next one if it is very short. A sentence that ends in a colon is
    left out, because what it introduces is not part of the summary.
    """
    line = ""
    for sentence in SENTENCE.split(part):
        if sentence.endswith((":", "：")):
            break
        line = f"{line} {sentence}".strip()
        if len(line) >= TELLING_CHARS:
            break
    return line


def _unmarked(part: str) -> str:
    line = LINK.sub(r"\1", _printable(part))
    for _ in range(2):  # marks inside marks
        line = MARKED.sub(r"\2", line)
    return " ".join(line.split())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
