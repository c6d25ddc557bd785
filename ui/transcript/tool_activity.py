"""What the agent does and asks within a turn: its acts, which wait for a person, and which fold into one line."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.domain import events as e
from ui.layout.i18n import Translations
from ui.transcript import markdown, tool_labels
from ui.transcript.item_list import ItemList
from ui.transcript.items import Items
from ui.transcript.request_view import RequestView, card
from ui.transcript.tool_card import ToolCard, run, running_output, step

FOLDED_FROM: Final = 3  # finished acts in a row that become one line
ORPHANS: Final = 200
OUTPUT_KEPT: Final = 8_000  # characters of what a running command has printed lately


class ToolActivity:
    """Puts acts and answers on the sheet."""

    def __init__(
        self,
        sheet: ItemList,
        items: Items,
        words: Translations,
        *,
        folder: str = "",
        render: Callable[[str], str] = markdown.render,
    ) -> None:
        self._sheet, self._items, self._words, self._folder, self._render = sheet, items, words, folder, render
        self._acts: dict[str, ToolCard] = {}
        self._asked: dict[str, e.Asked] = {}
        self._open: dict[str, bool] = {}  # request → parked
        self._cards: dict[
            str, RequestView
        ] = {}  # made once: a plan or a diff may be long, and cards are asked for often
        self._row: list[str] = []  # keys that stand in a row and may be folded
        self.orphans: list[e.AnyEvent] = []  # what refers to something before the first event

    def called(self, event: e.ToolCalled) -> None:
        """A tool is used."""
        if event.name in tool_labels.SILENT:
            return
        self._acts[event.id] = ToolCard(call=event)
        self._row.append(f"a:{event.id}")
        self._show(event.id, event)

    def returned(self, event: e.ToolReturned) -> None:
        """A tool's result."""
        if event.id in self._acts:
            self._change(event.id, event, result=event, waiting=False)
        else:
            self._orphan(event)

    def progress(self, event: e.ToolProgress) -> None:
        """More of a running command's output."""
        act = self._acts.get(event.id)
        if act is None or act.state != "running" or not event.text:
            return
        first = not act.output
        act = self._acts[event.id] = msgspec.structs.replace(
            act, output=(act.output + event.text)[-OUTPUT_KEPT:], skipped=act.skipped + event.skipped
        )
        html = step(act, self._words)
        if first:
            self._sheet.put(f"a:{event.id}", html)
        else:
            self._sheet.print(f"a:{event.id}", html, running_output(act))

    def forget_output(self) -> None:
        """What running commands have printed is told again from the beginning."""
        for id, act in self._acts.items():
            self._acts[id] = msgspec.structs.replace(act, output="", skipped=0)

    def ask(self, event: e.Asked) -> None:
        """Something only a person decides."""
        self._asked[event.request_id] = event
        self._open[event.request_id] = False
        self._cards[event.request_id] = card(
            event, parked=False, words=self._words, folder=self._folder, render=self._render
        )
        if event.tool_id in self._acts:
            self._change(event.tool_id, event, waiting=True, asked=event, answered=None)

    def decided(self, event: e.Decided) -> None:
        """The platform decided without asking anybody."""
        if event.tool_id in self._acts:
            self._change(event.tool_id, event, decided=event)
        else:
            self._orphan(event)

    def answer(self, event: e.Answered) -> None:
        """It was decided."""
        self._open.pop(event.request_id, None)
        self._cards.pop(event.request_id, None)
        asked = self._asked.get(event.request_id)
        if asked is None:
            self._orphan(event)
            return
        if asked.tool_id in self._acts and asked.kind == "permission":
            self._change(asked.tool_id, event, waiting=False, answered=event)  # said at the end of its own line
            return
        self.close_row()
        self._sheet.put(f"r:{event.request_id}", self._items.answered(asked, event), event)

    def park(self, event: e.Parked) -> None:
        """What asked is gone; the request stays."""
        if event.request_id in self._asked:
            self._open[event.request_id] = True
        else:
            self._orphan(event)

    def add_to_row(self, key: str) -> None:
        """Something small between acts that folds with them."""
        self._row.append(key)

    def close_row(self) -> None:
        """Something else comes: acts that stand in a row and went well become one line."""
        keys, self._row = self._row, []
        row: list[str] = []
        for key in [*keys, ""]:
            act = self._acts.get(key.removeprefix("a:")) if key.startswith("a:") else None
            if key and (act is None or act.state == "ok"):
                row.append(key)
                continue
            self._fold(row)
            row = []

    def end(self, event: e.TurnFinished) -> None:
        """The turn is over: nothing runs any more, and only what is parked is still asked."""
        for id, act in self._acts.items():
            if act.state in ("running", "waiting", "stopped"):
                self._change(id, event, ended=event, waiting=False)
        self.close_row()
        self._acts.clear()
        self._open = {id: parked for id, parked in self._open.items() if parked}

    def cards(self) -> tuple[RequestView, ...]:
        """The open requests, oldest first."""
        return tuple(msgspec.structs.replace(self._cards[id], parked=parked) for id, parked in self._open.items())

    def now(self) -> str:
        """The act that runs, in words, or nothing."""
        act = next((act for act in reversed(self._acts.values()) if act.state == "running"), None)
        if act is None:
            return ""
        return f"{self._words.t(f'act.{tool_labels.kind(act.call.name).verb}')} · {tool_labels.short(act.target)}"

    def _show(self, id: str, event: e.Event) -> None:
        self._sheet.put(f"a:{id}", step(self._acts[id], self._words), event)

    def _change(self, id: str, event: e.Event, **changes: Any) -> None:
        self._acts[id] = msgspec.structs.replace(self._acts[id], **changes)
        self._show(id, event)

    def _fold(self, row: list[str]) -> None:
        done = [self._acts[key.removeprefix("a:")] for key in row if key.startswith("a:")]
        if len(done) >= FOLDED_FROM:
            self._sheet.wrap(row, run(done, self._words))

    def _orphan(self, event: e.AnyEvent) -> None:
        if len(self.orphans) < ORPHANS:
            self.orphans.append(event)
