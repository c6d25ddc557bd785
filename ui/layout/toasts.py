"""Toasts: short messages with an optional action, such as an undo."""

from collections.abc import Awaitable, Callable
from itertools import count
from typing import Literal

from nicegui.element import Element
from nicegui.events import GenericEventArguments

Kind = Literal["ok", "bad", "info"]
Undo = Callable[[], Awaitable[None]]
SECONDS = {"ok": 5, "info": 5, "bad": 12}  # a refusal takes longer to read
KEPT = 20  # undos that can still be pressed


class Toasts(Element, component="toasts.js"):
    """The toasts of a page, created by the frame."""

    def __init__(self, *, close: str) -> None:
        super().__init__()
        self.props["close"] = close
        self._ids = count(1)
        self._undos: dict[int, Undo] = {}
        self.on("act", self._act)

    def show(self, text: str, kind: Kind = "ok", *, action: str = "", undo: Undo | None = None) -> None:
        """Show `text`; with `undo`, a button of that `action`."""
        id = next(self._ids)
        if undo is not None:
            self._undos = dict([*self._undos.items(), (id, undo)][-KEPT:])
        self.run_method("show", {"id": id, "text": text, "kind": kind, "action": action, "seconds": SECONDS[kind]})

    async def _act(self, event: GenericEventArguments) -> None:
        undo = self._undos.pop(event.args, None)
        if undo is not None:
            await undo()
