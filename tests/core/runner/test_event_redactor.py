"""Tests that a session stores and shows no secret of its user, and leaves everything else unchanged."""

from typing import Any

import msgspec
import pytest

from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Attachment,
    Notice,
    Question,
    Reply,
    StateChanged,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    TodoItem,
    Todos,
    ToolCalled,
    ToolProgress,
    ToolReturned,
    TurnFinished,
    UserSaid,
    encode,
    numbered,
)
from core.domain.states import SessionState
from core.runner.event_redactor import EventRedactor
from core.runner.known_secrets import KnownSecrets

SECRET = 'correct"horse\\battery-staple'
HELD = f"it is {SECRET}!"
EVENTS: list[AnyEvent] = [
    UserSaid(message_id="m1", text=HELD, attachments=(Attachment(name=HELD, path=HELD),)),
    Text(message="x", block=0, text=HELD),
    Thinking(message="x", block=1, text=HELD),
    ToolCalled(id="t1", name="Bash", input={"command": HELD, "type": HELD, HELD: [HELD, {"id": HELD, "n": 1.5}]}),
    ToolProgress(id="t1", elapsed_s=1.5, text=HELD),
    ToolReturned(id="t1", ok=True, content=HELD, truncated=True, full_size=7),
    Asked(request_id="r1", kind="permission", tool="Bash", tool_id="t1", input={"command": HELD}, reason=HELD),
    Asked(request_id="r2", kind="question", questions=(Question(text=HELD, header=HELD, options=((HELD, HELD),)),)),
    Asked(request_id="r3", kind="plan", plan=HELD, rule=HELD, folder=HELD),
    Answered(request_id="r1", decision="allow", by="u1 web", message=HELD, rule=HELD, answers={HELD: HELD}),
    Answered(request_id="r2", decision="answer", replies={HELD: Reply(choices=(HELD,), text=HELD)}),
    Todos(items=(TodoItem(text=HELD, status="now"),)),
    Notice(level="warn", text=HELD),
    TurnFinished(outcome="error", reason="cli_died", detail=HELD),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_no_word_of_an_event_holds_it_and_nothing_else_changes(event: AnyEvent) -> None:
    event = numbered(event, seq=7)
    kept = EventRedactor(KnownSecrets([SECRET])).stored(event)
    plain = msgspec.json.decode(encode(event).replace(msgspec.json.encode(SECRET)[1:-1], b"***"))
    assert msgspec.json.decode(encode(kept)) == plain
    assert b"horse" not in encode(kept)


def test_what_holds_none_is_the_same_object() -> None:
    event = Text(message="x", block=0, text="there is nothing in here")
    assert EventRedactor(KnownSecrets([SECRET])).stored(event) is event
    assert EventRedactor(KnownSecrets()).shown(event) is event


def test_a_value_that_is_one_of_our_own_words_breaks_no_event() -> None:
    veil = EventRedactor(KnownSecrets(["tool_called", "permission", "interrupted", "starting"]))
    for event in (
        ToolCalled(id="permission", name="interrupted", input={"permission": "interrupted"}),
        Asked(request_id="permission", kind="permission", reason="permission"),
        TurnFinished(outcome="interrupted", reason="stopped_by_user"),
        StateChanged(state=SessionState.STARTING, turn="permission"),
    ):
        assert type(veil.stored(numbered(event, seq=1))) is type(event)


def test_a_value_in_a_commands_output_is_masked_wherever_it_was_cut_and_after_a_gap() -> None:
    veil = EventRedactor(KnownSecrets([SECRET]))
    pieces = [HELD[:9], HELD[9:14], HELD[14:], "\n"]
    shown = [veil.shown(ToolProgress(id="t1", text=piece)) for piece in pieces]
    assert "".join(one.text for one in shown if isinstance(one, ToolProgress)) == "it is ***!\n"
    gap = veil.shown(ToolProgress(id="t1", text=SECRET[5:] + "x" * 300, skipped=5))
    assert isinstance(gap, ToolProgress) and set(gap.text) == {"x"}


def said(kind: type[Any], veil: EventRedactor, pieces: list[str], *, block: int = 0) -> str:
    shown = [veil.shown(kind(message="x", block=block, text=piece)) for piece in pieces]
    return "".join(event.text for event in shown if event is not None)


@pytest.mark.parametrize("kind", [TextDelta, ThinkingDelta])
def test_a_secret_is_not_shown_in_pieces_either(kind: type[Any]) -> None:
    veil = EventRedactor(KnownSecrets([SECRET]))
    assert said(kind, veil, list(HELD)) == "it is ***!"
    assert said(kind, veil, list("correct, it is"), block=1) == "correct, it is"


def test_blocks_at_once_are_not_mixed() -> None:
    veil, half = EventRedactor(KnownSecrets([SECRET])), len(SECRET) // 2
    assert said(TextDelta, veil, ["a ", SECRET[:half]]) == "a "
    assert said(TextDelta, veil, [SECRET[half:]], block=1) == SECRET[half:]
    assert said(TextDelta, veil, [SECRET[half:], " b"]) == "*** b"


def test_a_finished_block_is_whole_whatever_waited() -> None:
    veil = EventRedactor(KnownSecrets([SECRET]))
    assert said(TextDelta, veil, ["it ends in corr"]) == "it ends in "
    assert veil.stored(Text(message="x", block=0, text="it ends in corr")).text == "it ends in corr"  # type: ignore[union-attr]
    assert said(TextDelta, veil, ["ect"]) == "ect", "the next one begins anew"


@pytest.mark.parametrize("cut", range(0, len(HELD) + 1, 3))
def test_a_late_reader_is_told_exactly_what_the_others_have_seen(cut: int) -> None:
    veil = EventRedactor(KnownSecrets([SECRET]))
    before = said(TextDelta, veil, list(HELD[:cut]))
    late = veil.unfinished([TextDelta(message="x", block=0, text=HELD[:cut])])
    assert "".join(delta.text for delta in late) == before
    assert before + said(TextDelta, veil, list(HELD[cut:])) == "it is ***!"
