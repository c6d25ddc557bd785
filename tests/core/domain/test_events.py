"""The log's kinds of events and their one codec."""

from datetime import UTC, datetime
from typing import get_args

import msgspec
import pytest

from core.domain.events import (
    LIVE_ONLY,
    AnyEvent,
    Notice,
    StateChanged,
    TextDelta,
    TurnFinished,
    UnknownEvent,
    UserSaid,
    decode,
    decode_many,
    encode,
    encode_many,
    numbered,
    seq_of,
)
from core.domain.states import SessionState

CONTRACT = {
    "session_opened", "user_said", "text_delta", "text", "thinking_delta", "thinking", "tool_called", "tool_progress",
    "tool_returned", "asked", "answered", "parked", "todos", "decided", "retrying", "notice", "state", "turn_finished",
}  # fmt: skip

ADDED = {"live", "turn_cost", "unknown", "queue_changed"}


def test_the_kinds_are_those_of_the_contract_and_those_of_watch() -> None:
    assert {kind.__struct_config__.tag for kind in get_args(AnyEvent)} == CONTRACT | ADDED


def test_an_event_comes_back_as_it_was_with_korean_and_emoji() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    event = numbered(UserSaid(message_id="m", text="안녕 🙂 \u2028"), seq=3, at=at)
    line = encode(event)
    assert b"\n" not in line
    assert decode(line) == event
    assert msgspec.json.decode(line) | {"type": "user_said", "seq": 3, "at": "2026-11-22T00:00:00Z"} == (
        msgspec.json.decode(line)
    )


def test_an_event_that_is_shown_but_not_stored_has_no_number() -> None:
    assert TextDelta in LIVE_ONLY
    delta = TextDelta(message="m", block=0, text="x")
    assert seq_of(delta) == 0
    assert "seq" not in msgspec.json.decode(encode(delta))


def test_a_frame_of_a_newer_runner_loses_only_what_we_do_not_know() -> None:
    known = [StateChanged(state=SessionState.IDLE), TurnFinished(outcome="ok")]
    frame = msgspec.json.decode(encode_many(known))
    frame.insert(1, {"type": "from_the_future", "x": 1})
    frame[0]["new_field"] = True
    assert decode_many(msgspec.json.encode(frame)) == known


@pytest.mark.parametrize("frame", [b"", b"{}", b"nonsense", b'"x"'])
def test_what_is_no_array_is_refused(frame: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_many(frame)


def test_a_kept_event_becomes_what_it_is_once_its_kind_is_known_and_never_one_that_is_not_stored() -> None:
    kept = UnknownEvent(seq=7, kind="notice", data={"text": "x"})
    assert decode(encode(kept)) == Notice(seq=7, text="x")
    for kind, data in (
        ("from_the_future", {"x": 1}),
        ("text_delta", {"message": "m", "block": 0, "text": "x"}),
        ("unknown", {"kind": "notice"}),
        ("notice", {"level": "loud"}),
    ):
        other = UnknownEvent(seq=7, kind=kind, data=data)
        assert decode(encode(other)) == other
    assert decode_many(encode_many([kept])) == [Notice(seq=7, text="x")]
