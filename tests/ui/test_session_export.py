"""A session as a file: what stands in it, and that nothing in it acts."""

from datetime import UTC, datetime

import pytest

from core.domain import events as e
from core.domain.states import SessionState
from tests.xss.corpus import payloads
from ui.layout.i18n import words
from ui.transcript.session_export import HTML, MARKDOWN, Form, export, fenced

AT = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


def exported(form: Form, *events: e.AnyEvent, title: str = "Title") -> str:
    numbered = [e.numbered(event, seq=n, at=AT) for n, event in enumerate(events, 1)]
    return export(numbered, form, title=title, agent="Agent", words=words("en"))


def turn(message_id: str) -> e.StateChanged:
    return e.StateChanged(state=SessionState.BUSY, turn=message_id)


@pytest.mark.parametrize("form", [MARKDOWN, HTML], ids=["markdown", "html"])
def test_messages_stand_where_their_turn_began_as_they_were_edited_last(form: Form) -> None:
    text = exported(
        form,
        e.UserSaid(message_id="a", text="first"),
        turn("a"),
        e.UserSaid(message_id="b", text="old words"),
        e.UserSaid(message_id="c", text="removed"),
        e.UserSaid(message_id="d", text="still waits"),
        e.QueueChanged(message_id="b", kind="edit", text="new words"),
        e.QueueChanged(message_id="c", kind="remove"),
        e.ToolCalled(id="t", name="Bash", input={"command": "make test"}),
        e.ToolReturned(id="t", ok=True, content="42 passed"),
        e.Text(message="m", block=0, text="answer to first"),
        e.TurnFinished(outcome="ok", duration_s=1),
        turn("b"),
        e.TurnFinished(outcome="error", reason="model_overloaded"),
    )
    order = ["first", "make test", "42 passed", "answer to first", "new words", "still waits"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "old words" not in text and "removed" not in text
    assert "overloaded" in text and "not delivered yet" in text


def test_no_hostile_text_acts_in_the_html_file() -> None:
    for payload in payloads():
        text = exported(
            HTML,
            e.UserSaid(message_id="a", text=payload),
            turn("a"),
            e.Text(message="m", block=0, text=payload),
            e.ToolCalled(id="t", name=payload, input={"command": payload}),
            e.ToolReturned(id="t", ok=True, content=payload),
            title=payload,
        )
        low = text.lower()
        assert "<script" not in low and "<img" not in low and "<iframe" not in low and "<svg" not in low, payload
        assert 'href="javascript:' not in low and "href='javascript:" not in low, payload
        assert "default-src 'none'" in text


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert fenced("a ``` b ```` c").splitlines()[0] == "`````"
    assert fenced("plain").splitlines() == ["```", "plain", "```"]
