"""The text that stands on a terminal's screen now, kept by a terminal emulator (pyte) for viewers that come later.

An emulator in Python is slow (0.8 MB/s), and output may be faster. So output waits and is taken in small pieces; of
more than `WAITING_CHARS` only the end is taken, because a screen is its last output.
"""

import logging
from collections import deque
from typing import Any, Final

import pyte
from wcwidth import wcwidth

log = logging.getLogger("oma.terminals")

WAITING_CHARS: Final = 200_000
PIECE_CHARS: Final = 8_192  # some 10 ms
_COLOURS: Final = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
_FLAGS: Final = (("bold", 1), ("italics", 3), ("underscore", 4), ("blink", 5), ("reverse", 7), ("strikethrough", 9))
# Private modes that a viewer needs, too: cursor keys, mouse, pasting. pyte stores private modes shifted.
_MODES: Final = (1, 1000, 1002, 1003, 1006, 2004)
_CURSOR, _PRIVATE_SHIFT = 25, 5
_ALTERNATE: Final = frozenset({47, 1047, 1049})
_WIDE: Final = 3  # would set the width to 132 columns, which is the viewers' to say

Cells = dict[int, Any]


class LastScreen:
    """`feed` output, call `advance` in idle moments, and `render` for a new viewer."""

    def __init__(self, columns: int, rows: int) -> None:
        self._begin(columns, rows)
        self._waiting: deque[str] = deque()
        self._size = 0

    def _begin(self, columns: int, rows: int) -> None:
        self._screen = _Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)

    def feed(self, text: str) -> None:
        """Take output, which is looked at later."""
        self._waiting.append(text)
        self._size += len(text)
        while self._size > WAITING_CHARS and len(self._waiting) > 1:
            self._size -= len(self._waiting.popleft())

    def advance(self) -> bool:
        """Look at one piece of the output. Returns False when there is nothing left."""
        if not self._waiting:
            return False
        text = self._waiting.popleft()
        piece, rest = text[:PIECE_CHARS], text[PIECE_CHARS:]
        if rest:
            self._waiting.appendleft(rest)
        self._size -= len(piece)
        try:
            self._stream.feed(piece)
        except Exception as error:  # noqa: BLE001  # a sequence that pyte does not cope with costs this screen only
            log.warning("a terminal's screen is begun anew: %s", type(error).__name__)
            self._begin(self._screen.columns, self._screen.lines)
        return bool(self._waiting)

    def resize(self, columns: int, rows: int) -> None:
        """Change the size; what does not fit is lost, as in any terminal."""
        self._screen.resize(rows, columns)

    def render(self) -> str:
        """Return what draws this screen on an empty terminal of the same size."""
        while self.advance():
            pass
        screen, parts = self._screen, ["\x1bc"]
        if screen.aside:
            cells, row, column = screen.aside
            parts += [_drawn(cells, screen), _moved(row, column), "\x1b[?1049h"]
        parts += [_drawn(screen.buffer, screen), _moved(screen.cursor.y, screen.cursor.x)]
        parts += [f"\x1b[?{mode}h" for mode in _MODES if mode << _PRIVATE_SHIFT in screen.mode]
        if _CURSOR << _PRIVATE_SHIFT not in screen.mode:
            parts.append(f"\x1b[?{_CURSOR}l")
        return "".join(parts)


class _Screen(pyte.Screen):
    """pyte's screen with the alternate screen that pyte lacks: `aside` has the cells and the cursor of the main one."""

    def __init__(self, columns: int, rows: int) -> None:
        self.aside: tuple[dict[int, Cells], int, int] | None = None
        super().__init__(columns, rows)

    def set_mode(self, *modes: int, **rest: Any) -> None:
        if rest.get("private") and not self.aside and _ALTERNATE.intersection(modes):
            kept = {row: dict(self.buffer[row]) for row in range(self.lines)}
            self.aside = (kept, self.cursor.y, self.cursor.x)
            self.erase_in_display(2)
            self.cursor_position()
        super().set_mode(*(mode for mode in modes if mode != _WIDE), **rest)

    def reset_mode(self, *modes: int, **rest: Any) -> None:
        if rest.get("private") and self.aside and _ALTERNATE.intersection(modes):
            (kept, row, column), self.aside = self.aside, None
            self.erase_in_display(2)
            for line in range(self.lines):
                self.buffer[line].update({at: cell for at, cell in kept.get(line, {}).items() if at < self.columns})
            self.cursor_position(row + 1, column + 1)
        super().reset_mode(*(mode for mode in modes if mode != _WIDE), **rest)

    def reset(self) -> None:
        self.aside = None
        super().reset()


def _drawn(buffer: Any, screen: pyte.Screen) -> str:
    lines = [_line(buffer.get(row) or {}, screen.columns) for row in range(screen.lines)]
    while lines and not lines[-1]:
        lines.pop()
    return "\r\n".join(lines)


def _line(cells: Cells, columns: int) -> str:
    """One row: its characters, with a style before each change, and without the blank end."""
    shown = [at for at, cell in cells.items() if cell.data != " " or cell.bg != "default" or cell.reverse]
    parts, style = [], ""
    for at in range(min(max(shown, default=-1) + 1, columns)):
        cell = cells.get(at)
        if (now := _style(cell) if cell else "") != style:
            parts.append(f"\x1b[0{now}m")
            style = now
        parts.append(_character(cells, at))
    return "".join(parts) + ("\x1b[0m" if style else "")


def _character(cells: Cells, at: int) -> str:
    """Return the text of a column. A wide character takes two; the second is empty unless it was overwritten."""
    cell, after, before = cells.get(at), cells.get(at + 1), cells.get(at - 1)
    if cell is None:
        return " "
    if not cell.data:
        return "" if before is not None and wcwidth(before.data[:1]) == 2 else " "
    if wcwidth(cell.data[:1]) == 2 and (after is None or after.data):
        return " "
    return str(cell.data)


def _style(cell: Any) -> str:
    """The parameters of a style, each with a semicolon before it."""
    flags = "".join(f";{number}" for name, number in _FLAGS if getattr(cell, name))
    return flags + _colour(cell.fg, 30) + _colour(cell.bg, 40)


def _colour(name: str, base: int) -> str:
    if name == "default":
        return ""
    if (plain := name.removeprefix("bright")) in _COLOURS:
        return f";{base + _COLOURS.index(plain) + 60 * (plain != name)}"
    try:
        red, green, blue = bytes.fromhex(name)
    except ValueError:
        return ""
    return f";{base + 8};2;{red};{green};{blue}"


def _moved(row: int, column: int) -> str:
    return f"\x1b[{row + 1};{column + 1}H"
