"""The element of a terminal: ui/terminal/terminal.js around the xterm.js that NiceGUI brings."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import nicegui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from core.protocol.terminal_api import COLUMNS, INPUT_CHARS, ROWS

XTERM: Final = Path(nicegui.__file__).parent / "elements" / "xterm" / "dist"
DRAWN_S: Final = 10.0  # the longest a browser may take to draw what it was sent


class TerminalView(Element, component="terminal.js", esm={"nicegui-xterm": str(XTERM)}):
    """One terminal in one page. `typed` gets what the person types, `fits` the columns and rows that have room."""

    def __init__(self, *, label: str, typed: Callable[[str], object], fits: Callable[[int, int], object]) -> None:
        super().__init__()
        self.add_resource(XTERM)
        self.props["label"] = label
        self._typed, self._fits = typed, fits
        self.on("typed", self._on_typed)
        self.on("fits", self._on_fits)

    async def draw(self, screen: str, columns: int, rows: int) -> None:
        """Draw a whole screen. Raises: TimeoutError: the browser is away."""
        await self.run_method("draw", screen, columns, rows, timeout=DRAWN_S)

    async def write(self, text: str) -> None:
        """Go on with the screen. Raises: TimeoutError: the browser is away."""
        await self.run_method("write", text, timeout=DRAWN_S)

    def _on_typed(self, event: GenericEventArguments) -> None:
        if isinstance(event.args, str) and len(event.args) <= INPUT_CHARS:
            self._typed(event.args)

    def _on_fits(self, event: GenericEventArguments) -> None:
        size = event.args if isinstance(event.args, dict) else {}
        columns, rows = size.get("columns"), size.get("rows")
        if isinstance(columns, int) and isinstance(rows, int):
            self._fits(min(max(columns, COLUMNS[0]), COLUMNS[-1]), min(max(rows, ROWS[0]), ROWS[-1]))
