"""The output of a command as HTML: the last state of every line, with colours as classes, in limited time.

Carriage returns, backspaces, erasing and moves within the last lines are carried out, so that a progress bar is one
line. All other control sequences are dropped. Three libraries were tried on 64 KB: pyte takes 0.3 to 1.1 s for any
text, rich 38 s for a hostile one, and ansi2html leaves the carriage returns in.
"""

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import Final

from ui.transcript.tool_labels import visible

CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# Every part is bounded, so that each character is read a few times at most.
TOKEN: Final = re.compile(
    r"(?P<text>[^\x00-\x08\n-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<args>[0-?]{0,64})[ -/]{0,4}(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"  # titles, links and other strings to the terminal
    r"|\x1b[ -/]{0,4}[0-~]?"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f])"
)
LINES_BACK: Final = 50  # how far up the cursor moves
COLUMNS: Final = 1_000  # how far right it jumps
PADDING: Final = 20_000  # spaces that all jumps to the right may insert together
# Classes of bold, dim, italic and underlined text. A colour has one of six classes; black and white have none.
FLAGS: Final = {1: "ab", 2: "ad", 3: "ai", 4: "au"}


def render(text: str) -> str:
    """Return the whole text as HTML."""
    return _html(_lines(text)) if CONTROL.search(text) else escape(visible(text), quote=False)


def cut(text: str, head: int, tail: int) -> tuple[str, str, int]:
    """Return (HTML of the first `head` characters, HTML of the last `tail`, the number of characters between them)."""
    if not CONTROL.search(text):
        whole = len(text) <= head + tail
        parts = (text, "", 0) if whole else (text[:head], text[-tail:], len(text) - head - tail)
        return render(parts[0]), render(parts[1]), parts[2]
    lines = _lines(text)
    size = sum(map(len, lines)) + len(lines) - 1
    if size <= head + tail:
        return _html(lines), "", 0
    first, last = _first(lines, head), _last(lines, tail)
    return _html(first), _html(last), max(0, size - head - tail)


Cell = tuple[str, str]  # a character and its classes
Line = list[Cell]


class _Terminal:
    """A terminal: lines of cells, and the position of the cursor."""

    def __init__(self) -> None:
        self.lines: list[Line] = [[]]
        self._row = self._column = 0
        self._padding = PADDING
        self._flags: set[str] = set()
        self._colour = self._style = ""

    def write(self, text: str) -> None:
        line = self.lines[self._row]
        missing = min(self._column - len(line), self._padding)
        if missing > 0:
            self._padding -= missing
            line += [(" ", "")] * missing
        at = min(self._column, len(line))
        line[at : at + len(text)] = [(char, self._style) for char in text]
        self._column = at + len(text)

    def control(self, char: str) -> None:
        if char == "\n":
            self._down(1)
            self._column = 0
        elif char == "\r":
            self._column = 0
        elif char == "\b":
            self._column = max(0, self._column - 1)

    def sequence(self, final: str, args: str) -> None:
        """Carry out a control sequence; unknown ones are dropped."""
        if final == "m":
            self._paint([int(arg) if arg.isdecimal() else 0 for arg in re.split("[;:]", args)[:32]])
            return
        count = min(int(args), COLUMNS) if args.isdecimal() else 0
        steps = max(1, count)
        match final:
            case "G":
                self._column = steps - 1
            case "C":
                self._column = min(COLUMNS, self._column + steps)
            case "D":
                self._column = max(0, self._column - steps)
            case "A" | "F":
                self._row = max(self._row - steps, len(self.lines) - LINES_BACK, 0)
                self._column = 0 if final == "F" else self._column
            case "B" | "E":
                self._row = min(self._row + steps, len(self.lines) - 1)
                self._column = 0 if final == "E" else self._column
            case "K":
                del self.lines[self._row][0 if count == 2 else self._column :]
            case "J" if not count:
                del self.lines[self._row][self._column :], self.lines[self._row + 1 :]

    def _down(self, steps: int) -> None:
        self._row += steps
        if self._row == len(self.lines):
            self.lines.append([])

    def _paint(self, codes: list[int]) -> None:
        while codes:
            code = codes.pop(0)
            if code == 0:
                self._flags, self._colour = set(), ""
            elif code in FLAGS:
                self._flags.add(FLAGS[code])
            elif code == 22:
                self._flags -= {"ab", "ad"}
            elif code in (23, 24):
                self._flags.discard(FLAGS[code - 20])
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self._colour = _named(code % 10, bright=code >= 90)
            elif code == 39:
                self._colour = ""
            elif code in (38, 48):
                colour = _extended(codes)
                self._colour = colour if code == 38 else self._colour
        self._style = " ".join([*sorted(self._flags), self._colour]).strip()


def _named(number: int, *, bright: bool = False) -> str:
    """Return the class of a colour from red to cyan. Black and white are the page's own colour, and bright black is
    dim.
    """
    return f"a{number}" if 1 <= number <= 6 else "ad" if bright and number == 0 else ""


def _extended(codes: list[int]) -> str:
    """Return the class that is nearest to a colour of the 256-colour table or of RGB, and remove its numbers from
    `codes`.
    """
    kind = codes.pop(0) if codes else 0
    if kind == 2:
        parts = [*codes, 0, 0, 0][:3]
        del codes[:3]
        return _nearest(*parts)
    number = codes.pop(0) if kind == 5 and codes else 0
    if number < 16:
        return _named(number % 8, bright=number >= 8)
    if number >= 232:
        return "ad" if number < 246 else ""
    number -= 16
    return _nearest(*(step and 55 + 40 * step for step in (number // 36, number // 6 % 6, number % 6)))


def _nearest(red: int, green: int, blue: int) -> str:
    """Return the class of a colour's hue. A component counts if it is above the middle of the smallest and
    the largest.
    """
    low, high = min(red, green, blue), max(red, green, blue)
    if high - low < 40:
        return ""
    middle = (low + high) / 2
    return _named((red > middle) + 2 * (green > middle) + 4 * (blue > middle))


def _lines(text: str) -> list[Line]:
    terminal = _Terminal()
    for token in TOKEN.finditer(text):
        if token["text"]:
            terminal.write(token["text"])
        elif token["control"]:
            terminal.control(token["control"])
        elif token["final"]:
            terminal.sequence(token["final"], token["args"])
    return terminal.lines


def _html(lines: list[Line]) -> str:
    return "\n".join("".join(_spans(line)) for line in lines)


def _spans(line: Line) -> Iterator[str]:
    for style, cells in groupby(line, key=lambda cell: cell[1]):
        text = escape(visible("".join(char for char, _ in cells)), quote=False)
        yield f'<span class="{style}">{text}</span>' if style else text


def _first(lines: list[Line], limit: int) -> list[Line]:
    kept: list[Line] = []
    for line in lines:
        kept.append(line[: max(0, limit)])
        limit -= len(line) + 1
        if limit <= 0:
            break
    return kept


def _last(lines: list[Line], limit: int) -> list[Line]:
    kept: list[Line] = []
    for line in reversed(lines):
        kept.append(line[-limit:])
        limit -= len(line) + 1
        if limit <= 0:
            break
    return kept[::-1]
