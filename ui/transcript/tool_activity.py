"""The tool calls and requests of a turn: which run, which wait for a person, and which are folded into a line."""

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
from ui.transcript.tool_call import ToolCallView
from ui.transcript.tool_card import run, step
from ui.transcript.tool_details import running_output

FOLDED_FROM: Final = 3  # finished calls in a row that become one line
ORPHANS: Final = 200
STEPS_SHOWN: Final = 50  # of one sub-agent; earlier ones are counted
DEPTH: Final = 3  # sub-agents within sub-agents
OUTPUT_KEPT: Final = 8_000  # last characters of a running command's output


class ToolActivity:
    """The calls of the open turn. It puts their cards and answers into the item list."""

    def __init__(
        self,
        item_list: ItemList,
        items: Items,
        words: Translations,
        *,
        folder: str = "",
        render: Callable[[str], str] = markdown.render,
    ) -> None:
        self._item_list, self._items, self._words, self._folder, self._render = item_list, items, words, folder, render
        self._calls: dict[str, ToolCallView] = {}
        self._steps: dict[str, list[str]] = {}  # call of a sub-agent → its own calls
        self._pictures: dict[str, ToolCallView] = {}  # calls whose pictures are shown, oldest first
        self._asked: dict[str, e.Asked] = {}
        self._open: dict[str, bool] = {}  # request → parked
        self._cards: dict[
            str, RequestView
        ] = {}  # made once, because plans and diffs may be long, and cards are read often
        self._row: list[str] = []  # keys that stand in a row and may be folded
        self.orphans: list[e.AnyEvent] = []  # events that refer to something before the first event

    def called(self, event: e.ToolCalled) -> None:
        """Handle the start of a tool call."""
        if event.name in tool_labels.SILENT:
            return
        self._calls[event.id] = ToolCallView(call=event)
        if event.parent in self._calls and event.parent != event.id:
            self._steps.setdefault(event.parent, []).append(event.id)
        elif event.name == tool_labels.TRY:  # a verdict is not folded away
            self.close_row()
        else:
            self._row.append(f"a:{event.id}")
        self._show(event.id, event)

    def returned(self, event: e.ToolReturned) -> None:
        """Handle the result of a tool call."""
        if event.id in self._calls:
            self._change(event.id, event, result=event, waiting=False)
        else:
            self.orphan(event)

    def progress(self, event: e.ToolProgress) -> None:
        """Add output of a running command."""
        call = self._calls.get(event.id)
        if call is None or call.state != "running" or not event.text:
            return
        first = not call.output
        call = self._calls[event.id] = msgspec.structs.replace(
            call, output=(call.output + event.text)[-OUTPUT_KEPT:], skipped=call.skipped + event.skipped
        )
        if first or call.call.parent:
            self._show(event.id)
        else:
            self._item_list.print(f"a:{event.id}", step(call, self._words), running_output(call))

    def forget_output(self) -> None:
        """Forget the output of running commands, because it is sent again from the beginning."""
        for id, call in self._calls.items():
            self._calls[id] = msgspec.structs.replace(call, output="", skipped=0)

    def ask(self, event: e.Asked) -> None:
        """Handle a request for a person's decision about a call."""
        self._asked[event.request_id] = event
        self._open[event.request_id] = False
        self._cards[event.request_id] = card(
            event, parked=False, words=self._words, folder=self._folder, render=self._render
        )
        if event.tool_id in self._calls:
            self._change(event.tool_id, event, waiting=True, asked=event, answered=None)

    def decided(self, event: e.Decided) -> None:
        """Handle a decision of the platform without a person."""
        if event.tool_id in self._calls:
            self._change(event.tool_id, event, decided=event)
        else:
            self.orphan(event)

    def answer(self, event: e.Answered) -> None:
        """Handle a person's decision."""
        self._open.pop(event.request_id, None)
        self._cards.pop(event.request_id, None)
        asked = self._asked.get(event.request_id)
        if asked is None:
            self.orphan(event)
            return
        if asked.tool_id in self._calls and asked.kind == "permission":
            self._change(asked.tool_id, event, waiting=False, answered=event)  # shown at the end of its own line
            return
        self.close_row()
        self._item_list.put(f"r:{event.request_id}", self._items.answered(asked, event), event)

    def park(self, event: e.Parked) -> None:
        """Handle the end of the CLI that asked; its request stays open."""
        if event.request_id in self._asked:
            self._open[event.request_id] = True
        else:
            self.orphan(event)

    def add_to_row(self, key: str) -> None:
        """Add an item that is folded together with the calls around it."""
        self._row.append(key)

    def close_row(self) -> None:
        """Fold the finished calls of this row into one line, because another kind of item follows."""
        keys, self._row = self._row, []
        row: list[str] = []
        for key in [*keys, ""]:
            call = self._calls.get(key.removeprefix("a:"))
            # A call that was forgotten with its CLI has a key, but is not there; thinking has no call at all.
            if call.state == "ok" if call else bool(key) and not key.startswith("a:"):
                row.append(key)
                continue
            self._fold(row)
            row = []

    def end(self, event: e.TurnFinished) -> None:
        """Handle the end of the turn: only background work continues, and only parked requests stay open."""
        for id, call in self._calls.items():
            if call.state in ("running", "waiting", "stopped") and not self._in_background(id):
                self._change(id, event, ended=event, waiting=False)
        self.close_row()
        self._keep_background()
        self._open = {id: parked for id, parked in self._open.items() if parked or event.background}

    def end_background(self, event: e.Event) -> None:
        """Handle the end of the CLI, which ends its background work."""
        for id in [id for id, call in self._calls.items() if self._in_background(id) and call.state == "running"]:
            self._change(id, event, ended=event)
        self._keep_background()

    def cards(self) -> tuple[RequestView, ...]:
        """Return the open requests, oldest first."""
        return tuple(msgspec.structs.replace(self._cards[id], parked=parked) for id, parked in self._open.items())

    def now(self) -> str:
        """Return the name of the running call in words; empty if none runs."""
        running = (call for id, call in reversed(self._calls.items()) if call.state == "running")
        call = next((call for call in running if not call.in_background), None)
        if call is None:
            return ""
        return f"{self._words.t(f'act.{tool_labels.kind(call.call.name).verb}')} · {tool_labels.short(call.target)}"

    def _show(self, id: str, event: e.Event | None = None) -> None:
        """Draw the call's card. A step of a sub-agent is drawn in the sub-agent's card."""
        for _ in range(DEPTH):
            parent = self._calls[id].call.parent
            if id not in self._steps.get(parent, ()):
                break
            id = parent
        self._item_list.put(f"a:{id}", step(self._with_steps(id, DEPTH), self._words), event)
        self._make_room(id)

    def _in_background(self, id: str) -> bool:
        """True if the call, or the sub-agent that it is a step of, continues after the turn."""
        for _ in range(DEPTH + 1):
            if id not in self._calls:
                return False
            if self._calls[id].in_background:
                return True
            id = self._calls[id].call.parent
        return False

    def _keep_background(self) -> None:
        """Forget all calls except those in the background and their steps."""
        self._calls = {id: call for id, call in self._calls.items() if self._in_background(id)}
        self._steps = {id: steps for id, steps in self._steps.items() if id in self._calls}

    def _with_steps(self, id: str, depth: int) -> ToolCallView:
        steps = self._steps.get(id, ()) if depth else ()
        shown = tuple(self._with_steps(step, depth - 1) for step in steps[-STEPS_SHOWN:])
        call = self._calls[id]
        result = call.result
        if (
            result and result.pictures and depth < DEPTH
        ):  # pictures of steps would be sent again with every further step
            result = msgspec.structs.replace(result, pictures=())
        return msgspec.structs.replace(call, result=result, steps=shown, earlier=len(steps) - len(shown))

    def _make_room(self, id: str) -> None:
        """Remove the oldest pictures if all together are too large for one page."""
        call = self._calls[id]
        if call.result is None or not call.result.pictures:
            return
        self._pictures[id] = call
        while sum(map(_pictured, self._pictures.values())) > MOST_CHARS and len(self._pictures) > 1:
            oldest = next(iter(self._pictures))
            old = self._pictures.pop(oldest)
            if old.result is not None and f"a:{oldest}" in self._item_list:
                bare = msgspec.structs.replace(old, result=msgspec.structs.replace(old.result, pictures=()))
                self._item_list.put(f"a:{oldest}", step(bare, self._words))

    def _change(self, id: str, event: e.Event, **changes: Any) -> None:
        self._calls[id] = msgspec.structs.replace(self._calls[id], **changes)
        self._show(id, event)

    def _fold(self, row: list[str]) -> None:
        done = [self._calls[key.removeprefix("a:")] for key in row if key.startswith("a:")]
        if len(done) >= FOLDED_FROM:
            self._item_list.wrap(row, run(done, self._words))

    def orphan(self, event: e.AnyEvent) -> None:
        if len(self.orphans) < ORPHANS:
            self.orphans.append(event)


def _pictured(call: ToolCallView) -> int:
    """Return the number of characters of the call's pictures."""
    return sum(len(picture.data) for picture in call.result.pictures) if call.result else 0
