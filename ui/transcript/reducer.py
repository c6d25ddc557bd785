"""Reduces a session's events to the items of the page: pure, the same for every tab, without clock or network."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec

from core.domain import error_catalogue
from core.domain import events as e
from core.domain.states import OPEN_TURN, SessionState
from ui.layout.i18n import Translations
from ui.transcript import markdown
from ui.transcript.item_list import ItemList
from ui.transcript.items import Items
from ui.transcript.ops import AnyOp, PutItem
from ui.transcript.queued_messages import QueuedMessages, key_of
from ui.transcript.request_view import RequestView
from ui.transcript.session_stats import NOTHING, Facts, SessionStats, after, charged, facts
from ui.transcript.streaming_text import StreamingText
from ui.transcript.tool_activity import ToolActivity

ANSWERS: Final = (e.Text, e.ToolCalled, e.Asked, e.Notice, e.Todos)  # a turn without any of them is empty
NO_COMMAND: Final = re.compile(r"(/[\w:-]{1,60}) isn't available in this environment\.", re.A)  # the CLI's own words


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """The values that header, request card and composer show around the transcript."""

    state: SessionState
    word: str
    shown: SessionState  # as lists show it: a failed session is not shown as idle. `word` is its name
    doing: str = ""
    since: str = ""
    facts: Facts = Facts()
    asks: tuple[RequestView, ...] = ()


class TranscriptReducer:
    """The state of a transcript. `apply` events in order; `drain` returns the changes since the last drain, `snapshot`
    all.
    """

    def __init__(
        self,
        words: Translations,
        *,
        folder: str = "",
        state: SessionState = SessionState.ASLEEP,
        known: SessionStats = NOTHING,
        counted: int = 0,
        render: Callable[[str], str] = markdown.render,
    ) -> None:
        """`known` are the stats up to event number `counted`; `folder` is the agent's, as people see it."""
        self._words, self._items, self._render = words, Items(words), render
        self._known, self._counted, self._item_list = known, counted, ItemList()
        self.state, self.last_seq, self.first_seq = state, 0, 0
        self._activity = ToolActivity(self._item_list, self._items, words, folder=folder, render=render)
        self._queued = QueuedMessages(self._item_list, self._items)
        self._cut_off: dict[str, e.Text] = {}  # unfinished texts of this turn
        self._writing, self._musing = dict[str, StreamingText](), set[str]()  # unfinished texts, keys of thinking
        self._message = self._turn = self._since = self._woken = self._todos = self._phase = ""
        self._begun: dict[str, e.UserSaid] = {}  # messages since the last turn's end, among them the open turn's
        self._silent = False  # the open turn began in the events shown here, and has produced nothing yet
        self._broke = False  # the last turn ended in an error
        self._unpriced: dict[int, tuple[e.TurnFinished, dict[str, bool]]] = {}  # turns' ends without a cost as yet
        self._failed: tuple[e.TurnFinished, e.UserSaid] | None = None
        self._handler_of = self._handlers()

    def _handlers(self) -> dict[type, Callable[[Any], None]]:
        """Return the handler of each kind of event; other kinds change nothing on the page."""
        return {
            e.UserSaid: self._said,
            e.QueueChanged: self._queue_changed,
            e.TextDelta: self._text_delta,
            e.Text: self._text,
            e.ThinkingDelta: self._thinking_delta,
            e.Thinking: self._thinking,
            e.ToolCalled: self._activity.called,
            e.ToolProgress: self._activity.progress,
            e.ToolReturned: self._activity.returned,
            e.Asked: self._ask,
            e.Decided: self._activity.decided,
            e.Answered: self._activity.answer,
            e.Parked: self._activity.park,
            e.Todos: lambda event: self._show_todos(event.items, event),
            e.Retrying: lambda event: self._item_list.put("retry", self._items.retrying(event), event),
            **dict.fromkeys((e.Notice, e.UnknownEvent), self._notice),
            e.StateChanged: self._state,
            e.TurnFinished: self._finish,
            e.TurnCost: self._cost,
            e.Live: lambda _: self._forget_live(),
        }

    def apply(self, event: e.AnyEvent) -> None:
        """Apply one event; an event with a number that was applied before changes nothing."""
        seq = e.seq_of(event)
        if 0 < seq <= self.last_seq:
            return
        if seq:
            self.last_seq = seq
            self.first_seq = self.first_seq or seq
        if not isinstance(event, e.Retrying | e.StateChanged | e.ToolProgress):
            self._item_list.drop("retry")
        self._silent = self._silent and not isinstance(event, ANSWERS)
        handler = self._handler_of.get(type(event))
        if handler:
            handler(event)

    def drain(self) -> list[AnyOp]:
        """Return the changes since the last drain."""
        ops = self._item_list.drain()
        for writing in self._writing.values():
            ops.extend(writing.changes())
        self.first_seq = self._item_list.trim() or self.first_seq
        return ops

    def snapshot(self) -> list[AnyOp]:
        """Return all items as of the last drain, for a page that has nothing."""
        ops: list[AnyOp] = []
        for put in self._item_list.whole():
            writing = self._writing.get(put.key)
            if writing is None:
                ops.append(put)
                continue
            html, tail = writing.whole()
            ops += [PutItem(key=put.key, html=self._items.text(html), live=True), *tail]
        return [*ops, *self._item_list.wraps]

    def meta(self) -> Meta:
        """Return the values around the transcript as they are now."""
        cards = self._activity.cards()
        state = SessionState.ASKING if cards and self.state is not SessionState.FAILED else self.state
        shown = SessionState.FAILED if self._broke and state not in OPEN_TURN else state
        return Meta(
            state=state,
            word=self._words.t(f"state.{shown}"),
            shown=shown,
            doing=self._doing(waiting=bool(cards)),
            since=self._since if self.state in OPEN_TURN else self._woken,
            facts=facts(self._known, self._words),
            asks=cards,
        )

    @property
    def orphans(self) -> list[e.AnyEvent]:
        """Events that refer to something before the first event."""
        return self._activity.orphans

    @property
    def failed(self) -> tuple[e.TurnFinished, e.UserSaid] | None:
        """The end of the last turn and its message, if it failed, a retry may help, and nothing came after it; else
        None.
        """
        return self._failed if self._failed and error_catalogue.may_retry(self._failed[0].reason) else None

    def settle(self) -> None:
        """Remove the offer to retry the failed turn, because a message has followed it."""
        if self._failed:
            event, self._failed = self._failed[0], None
            if (key := f"e:{event.seq}") in self._item_list:
                self._item_list.put(key, self._items.ended(event), event)

    @property
    def fresh(self) -> bool:
        """True if a text has begun that no drain has returned yet: its first words should not wait."""
        return any(isinstance(op, PutItem) and op.live for op in self._item_list.ops)

    def _said(self, event: e.UserSaid) -> None:
        """Show a message; during another message's turn it stays below everything until the agent takes it in."""
        self.settle()
        self._begun[event.message_id] = event
        if self._turn and self._turn != event.message_id:
            self._queued.add(event)
            return
        self._activity.close_row()
        self._item_list.put(key_of(event), self._items.said(event, queued=False), event, source=event.text)

    def _queue_changed(self, event: e.QueueChanged) -> None:
        """Show a person's change of a waiting message; a removed one is not shown any more."""
        said = self._begun.get(event.message_id)
        if said is None:
            self._activity.orphan(event)
        elif now := self._queued.apply(event):
            self._begun[event.message_id] = now
        elif event.kind == "remove":
            del self._begun[event.message_id]
            self._item_list.drop(key_of(said))
        elif event.kind == "edit":
            self._begun[event.message_id] = said = msgspec.structs.replace(said, text=event.text)
            self._item_list.put(key_of(said), self._items.said(said, queued=False), said, source=said.text)

    def _text_delta(self, event: e.TextDelta) -> None:
        self._supersede(event.message)
        key = f"t:{event.message}:{event.block}"
        if self._item_list.stored(key):
            return  # it is finished already: a late delta is a repetition
        if key not in self._writing:
            self._activity.close_row()
            self._writing[key] = StreamingText(key)
            self._item_list.put(key, self._items.text(""), live=True)
        self._writing[key].add(event.text)

    def _text(self, event: e.Text) -> None:
        self._supersede(event.message)
        key = f"t:{event.message}:{event.block}"
        self._writing.pop(key, None)
        self._activity.close_row()
        if event.partial:
            self._cut_off[key] = event
        self._put_text(key, event, partial=event.partial)

    def _put_text(self, key: str, event: e.Text, *, partial: bool) -> None:
        if unknown := NO_COMMAND.fullmatch(event.text):
            self._item_list.put(key, self._items.no_command(unknown[1]), event)
            return
        html = self._items.text(self._render(event.text), seq=e.seq_of(event), partial=partial)
        self._item_list.put(key, html, event, source=event.text)

    def _thinking_delta(self, event: e.ThinkingDelta) -> None:
        self._supersede(event.message)
        key = f"h:{event.message}:{event.block}"
        if key not in self._item_list:
            self._musing.add(key)
            self._item_list.put(key, self._items.thinking("", live=True))

    def _thinking(self, event: e.Thinking) -> None:
        self._supersede(event.message)
        key = f"h:{event.message}:{event.block}"
        self._musing.discard(key)
        if event.text.strip():
            self._activity.add_to_row(key)
            self._item_list.put(key, self._items.thinking(event.text), event)
        else:
            self._item_list.drop(key)

    def _ask(self, event: e.Asked) -> None:
        self._activity.ask(event)
        if event.kind == "plan":
            self._activity.close_row()
            html = self._items.plan(self._render(event.plan))
            self._item_list.put(f"p:{event.request_id}", html, event, source=event.plan)

    def _notice(self, event: e.Notice | e.UnknownEvent) -> None:
        self._activity.close_row()
        notice = event if isinstance(event, e.Notice) else e.Notice(seq=event.seq, text="unknown_event")
        self._item_list.put(f"n:{event.seq}", self._items.notice(notice), event)

    def _state(self, event: e.StateChanged) -> None:
        self.state, self._phase = event.state, event.phase
        if event.state in (SessionState.ASLEEP, SessionState.FAILED):
            self._activity.end_background(event)
        at = event.at.isoformat() if isinstance(event.at, datetime) else ""
        self._woken = (self._woken or at) if event.state is SessionState.STARTING else ""
        if event.turn == self._turn:
            return
        inside = bool(self._turn and event.turn)  # the running turn took a message in
        if inside:
            self._begun.pop(self._turn, None)
        self._turn = event.turn
        if event.turn:
            self._silent = self._silent or not inside
            self._broke = False
            self.settle()
        if not inside:
            self._since = at if event.turn else ""
        if said := self._queued.take(event.turn):
            self._activity.close_row()
            html = self._items.said(said, queued=False, steered=inside)
            self._item_list.move(key_of(said), html, said, source=said.text)

    def _finish(self, event: e.TurnFinished) -> None:
        self._forget_unfinished()
        self._activity.end(event)
        if event.reason == "stopped_by_user":  # the person who stopped it knows why it ends there
            for key, text in self._cut_off.items():
                self._put_text(key, text, partial=False)
        self._cut_off.clear()
        said = self._begun.pop(self._turn, None)
        if said and event.outcome != "ok":
            self._failed = event, said
        self._broke = event.outcome == "error"
        self._turn = self._since = self._todos = ""
        if e.seq_of(event) > self._counted:
            self._known = after(self._known, event)
        shown = {"followed": bool(self._queued), "empty": self._silent}
        self._silent = False
        if not event.cost_usd and not event.unpriced_calls:
            self._unpriced[e.seq_of(event)] = event, shown
        self._item_list.put(f"e:{event.seq}", self._items.ended(event, said=said, **shown), event)

    def _cost(self, event: e.TurnCost) -> None:
        """Show the cost of a turn that has ended; a repetition changes nothing."""
        end = self._unpriced.pop(event.turn, None)
        if end is None or not (event.cost_usd or event.unpriced_calls):
            return
        ended = msgspec.structs.replace(end[0], cost_usd=event.cost_usd, unpriced_calls=event.unpriced_calls)
        if event.turn > self._counted:
            self._known = charged(self._known, event.cost_usd, event.unpriced_calls)
        key = f"e:{event.turn}"
        if key in self._item_list:
            said = self._failed[1] if self._failed and self._failed[0].seq == event.turn else None
            self._item_list.put(key, self._items.ended(ended, said=said, **end[1]), ended)

    def _show_todos(self, items: tuple[e.TodoItem, ...], event: e.Event) -> None:
        if items:
            self._todos = self._todos or f"d:{e.seq_of(event)}"
            self._item_list.move(self._todos, self._items.todos(items), event)

    def _supersede(self, message: str) -> None:
        """Drop the unfinished text of an earlier model message, which was cut off and is generated again (G2)."""
        if message != self._message:
            self._forget_unfinished()
            self._message = message

    def _forget_live(self) -> None:
        """Remove everything that was never stored: the parts that still hold are sent again."""
        self._forget_unfinished()
        self._activity.forget_output()

    def _forget_unfinished(self) -> None:
        for key in [*self._writing, *self._musing]:
            self._item_list.drop(key)
        self._writing.clear()
        self._musing.clear()

    def _doing(self, *, waiting: bool) -> str:
        if self.state is SessionState.STARTING and self._phase:
            return self._words.code("phase", self._phase, "starting")
        if self.state is SessionState.STARTING:
            return self._words.t("doing.starting")
        if self.state is not SessionState.BUSY or waiting:
            return ""
        otherwise = self._words.t("doing.thinking" if self._turn else "doing.background")
        return self._words.t("doing.writing") if self._writing else self._activity.now() or otherwise
