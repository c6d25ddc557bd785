"""What the agent does and asks within a turn: its acts, which wait for a person, and which fold into one line."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from core.domain import events as e
from ui.layout.i18n import Translations
from ui.transcript import markdown, tool_labels
from ui.transcript.item_list import ItemList
from ui.transcript.items import Items
from ui.transcript.pictures import MOST_CHARS
from ui.transcript.request_view import RequestView, card
from ui.transcript.tool_call import ToolCall
from ui.transcript.tool_card import run, step
from ui.transcript.tool_details import running_output

FOLDED_FROM: Final = 3  # finished acts in a row that become one line
ORPHANS: Final = 200
STEPS_SHOWN: Final = 50  # of one sub-agent; earlier ones are counted
DEPTH: Final = 3  # sub-agents within sub-agents
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
        self._acts: dict[str, ToolCall] = {}
        self._steps: dict[str, list[str]] = {}  # call of a sub-agent → the calls in it
        self._pictures: dict[str, ToolCall] = {}  # calls whose pictures are shown, oldest first
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
        self._acts[event.id] = ToolCall(call=event)
        if event.parent in self._acts and event.parent != event.id:
            self._steps.setdefault(event.parent, []).append(event.id)
        else:
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
        if first or act.call.parent:
            self._show(event.id)
        else:
            self._sheet.print(f"a:{event.id}", step(act, self._words), running_output(act))

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
        """The turn is over: only what sub-agents do in the background goes on, and what is parked is still asked."""
        for id, act in self._acts.items():
            if act.state in ("running", "waiting", "stopped") and not self._in_background(id):
                self._change(id, event, ended=event, waiting=False)
        self.close_row()
        self._keep_background()
        self._open = {id: parked for id, parked in self._open.items() if parked or event.background}

    def end_background(self, event: e.Event) -> None:
        """The CLI has ended, and with it what went on in the background."""
        for id in [id for id, act in self._acts.items() if self._in_background(id) and act.state == "running"]:
            self._change(id, event, ended=event)
        self._keep_background()

    def cards(self) -> tuple[RequestView, ...]:
        """The open requests, oldest first."""
        return tuple(msgspec.structs.replace(self._cards[id], parked=parked) for id, parked in self._open.items())

    def now(self) -> str:
        """The act that runs, in words, or nothing."""
        running = (act for id, act in reversed(self._acts.items()) if act.state == "running")
        act = next((act for act in running if not act.in_background), None)
        if act is None:
            return ""
        return f"{self._words.t(f'act.{tool_labels.kind(act.call.name).verb}')} · {tool_labels.short(act.target)}"

    def _show(self, id: str, event: e.Event | None = None) -> None:
        """Draw its card, which for a step of a sub-agent is the sub-agent's."""
        for _ in range(DEPTH):
            parent = self._acts[id].call.parent
            if id not in self._steps.get(parent, ()):
                break
            id = parent
        self._sheet.put(f"a:{id}", step(self._with_steps(id, DEPTH), self._words), event)
        self._make_room(id)

    def _in_background(self, id: str) -> bool:
        """Whether it, or the sub-agent that it is a step of, goes on after the turn."""
        for _ in range(DEPTH + 1):
            if id not in self._acts:
                return False
            if self._acts[id].in_background:
                return True
            id = self._acts[id].call.parent
        return False

    def _keep_background(self) -> None:
        """Forget all calls but those that go on in the background, and their steps."""
        self._acts = {id: act for id, act in self._acts.items() if self._in_background(id)}
        self._steps = {id: steps for id, steps in self._steps.items() if id in self._acts}

    def _with_steps(self, id: str, depth: int) -> ToolCall:
        steps = self._steps.get(id, ()) if depth else ()
        shown = tuple(self._with_steps(step, depth - 1) for step in steps[-STEPS_SHOWN:])
        act = self._acts[id]
        result = act.result
        if result and result.pictures and depth < DEPTH:  # those of steps would be sent again with every further step
            result = msgspec.structs.replace(result, pictures=())
        return msgspec.structs.replace(act, result=result, steps=shown, earlier=len(steps) - len(shown))

    def _make_room(self, id: str) -> None:
        """Take the oldest pictures away when all together are too large for one page."""
        act = self._acts[id]
        if act.result is None or not act.result.pictures:
            return
        self._pictures[id] = act
        while sum(map(_pictured, self._pictures.values())) > MOST_CHARS and len(self._pictures) > 1:
            oldest = next(iter(self._pictures))
            old = self._pictures.pop(oldest)
            if old.result is not None and f"a:{oldest}" in self._sheet:
                bare = msgspec.structs.replace(old, result=msgspec.structs.replace(old.result, pictures=()))
                self._sheet.put(f"a:{oldest}", step(bare, self._words))

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


def _pictured(act: ToolCall) -> int:
    """Characters of its pictures."""
    return sum(len(picture.data) for picture in act.result.pictures) if act.result else 0
