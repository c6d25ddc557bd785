"""Waiting messages on every device: what the runner decides, and what two pages make of it."""

import random
import re
from html import unescape

import pytest

from core.domain import events as e
from core.domain.errors import Conflict
from core.domain.states import SessionState
from core.protocol.runner_api import ChangeQueue
from core.runner.queue_edits import check
from core.runner.session_projection import SessionProjection
from ui.layout.i18n import words
from ui.transcript.ops import AnyOp, Drop, PutItem
from ui.transcript.reducer import TranscriptReducer

Shown = list[tuple[str, str]]


def apply(page: dict[str, str], ops: list[AnyOp]) -> dict[str, str]:
    """Apply these changes to a page of keyed items, as the browser does."""
    for op in ops:
        if isinstance(op, Drop):
            page.pop(op.key, None)
        elif isinstance(op, PutItem):
            if op.key in page or op.before not in page:
                page[op.key] = op.html
            else:
                parts = [((op.key, op.html), one) if one[0] == op.before else (one,) for one in page.items()]
                page = dict(pair for part in parts for pair in part)
    return page


def waiting(page: dict[str, str]) -> Shown:
    """Ids and texts of the messages that the page shows as waiting, from top to bottom."""
    queued = [html for html in page.values() if "queue-item" in html]
    found = [re.search(r'data-message="(\w+)".*class="said"[^>]*>([^<]*)<', html) for html in queued]
    return [(one[1], unescape(one[2])) for one in found if one]


class Session:
    """A runner's log and two pages: one that was open all the time, and one that is opened at the end."""

    def __init__(self) -> None:
        self.log: list[e.AnyEvent] = []
        self.runner = SessionProjection()
        self.reducer = TranscriptReducer(words("en"))
        self.page: dict[str, str] = {}
        self.happen(e.StateChanged(state=SessionState.BUSY, turn="first"))

    def happen(self, event: e.AnyEvent) -> None:
        self.log.append(e.numbered(event, seq=len(self.log) + 1))
        self.runner.apply(self.log[-1])
        self.reducer.apply(self.log[-1])

    def change(self, change: ChangeQueue) -> bool:
        try:
            if check(change, self.runner.waiting, sent=()):
                self.happen(change.event)
        except Conflict:
            return False
        return True

    def open_page(self) -> dict[str, str]:
        self.page = apply(self.page, self.reducer.drain())
        return self.page

    def late_page(self) -> dict[str, str]:
        late = TranscriptReducer(words("ko"))
        for event in self.log:
            late.apply(event)
        late.drain()
        return apply({}, late.snapshot())


@pytest.mark.parametrize("seed", range(8))
def test_300_random_edits_from_two_tabs_give_one_order_with_nothing_lost_or_doubled(seed: int) -> None:
    """Each tab acts on what it saw last, which is often out of date; the runner decides."""
    chance, session = random.Random(seed), Session()
    seen: list[list[e.UserSaid]] = [[], []]
    texts: dict[str, str] = {}
    for n in range(300):
        tab = chance.randrange(2)
        if n < 5 or chance.random() < 0.15:
            texts[f"m{n}"] = f"text {n}"
            session.happen(e.UserSaid(message_id=f"m{n}", text=f"text {n}", steer=chance.random() < 0.2))
        elif seen[tab]:
            said, other = chance.choice(seen[tab]), chance.choice(seen[tab])
            change = ChangeQueue(
                message_id=said.message_id,
                kind=chance.choice(["edit", "edit", "move", "move", "move", "steer", "remove"]),  # type: ignore[arg-type]
                text=f"edit {n}",
                before=other.message_id,
                seen=said.text,
            )
            counted = session.change(change)
            if counted and change.kind == "edit":
                texts[said.message_id] = change.text
            elif counted and change.kind == "remove":
                del texts[said.message_id]
        if chance.random() < 0.5:
            seen[tab] = list(session.runner.waiting)
        if chance.random() < 0.3:
            session.open_page()
    expected = [(said.message_id, said.text) for said in session.runner.waiting]
    assert sorted(expected) == sorted(texts.items()) and expected
    restarted = SessionProjection()
    for event in session.log:
        restarted.apply(event)
    assert [(said.message_id, said.text) for said in restarted.waiting] == expected
    assert waiting(session.open_page()) == expected, "the page that was open all the time"
    assert waiting(session.late_page()) == expected, "a page opened now"


def test_a_message_that_was_edited_begins_its_turn_as_it_was_edited() -> None:
    session = Session()
    session.happen(e.UserSaid(message_id="a", text="old"))
    session.happen(e.UserSaid(message_id="b", text="b"))
    session.happen(e.QueueChanged(message_id="a", kind="edit", text="new"))
    session.happen(e.TurnFinished(outcome="ok"))
    session.happen(e.StateChanged(state=SessionState.BUSY, turn="a"))
    page = session.open_page()
    assert waiting(page) == [("b", "b")]
    assert "new" in page["u:2"] and "old" not in "".join(page.values())
    session.happen(e.TurnFinished(outcome="error", reason="model_error"))
    session.open_page()
    failed = session.reducer.failed
    assert failed and failed[1].text == "new", "said again, it says what it said"
