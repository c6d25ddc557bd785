"""A turn in a box and its model calls lie in the trace of the message that began it, known from the log alone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from core.config.runtime_dir import Process
from core.domain.events import AnyEvent, StateChanged, TurnFinished, UserSaid
from core.domain.records import Session, now
from core.domain.states import SessionState as S
from core.gateway.turn_spans import current_turn, export_turn_spans
from core.observability import tracing
from core.observability.tracing import Span, message_trace, turn_trace
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness

ASK = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "안녕?"}]}
AT = now()
TALK: list[AnyEvent] = [
    UserSaid(seq=1, at=AT, message_id="m1", text="a"),
    StateChanged(seq=2, at=AT, state=S.BUSY, turn="m1"),
    UserSaid(seq=3, at=AT, message_id="m2", text="b"),  # waits
    StateChanged(seq=4, at=AT, state=S.ASKING, turn="m1"),
    TurnFinished(seq=5, at=AT + timedelta(seconds=3), outcome="ok", duration_s=3.0),
    StateChanged(seq=6, at=AT, state=S.IDLE),
    StateChanged(seq=7, at=AT, state=S.BUSY, turn="m2"),
    TurnFinished(seq=8, at=AT, outcome="error", reason="cli_died"),
]


@pytest.fixture
def spans() -> Iterator[list[Span]]:
    found: list[Span] = []
    before = tracing.sink.set(found.append)
    yield found
    tracing.sink.reset(before)


def session(**fields: Any) -> Session:
    return Session(id="s1", agent="a1", created_at=AT, updated_at=AT, **fields)


def test_each_turn_is_a_span_under_its_own_message(spans: list[Span]) -> None:
    export_turn_spans(session(), TALK)
    assert [(one.at, one.parent, one.failed) for one in spans] == [
        (turn_trace(message_trace("s1", message)), message_trace("s1", message), failed)
        for message, failed in (("m1", False), ("m2", True))
    ]
    assert spans[0].end_ns - spans[0].start_ns == 3_000_000_000


def test_a_turn_that_began_in_an_earlier_batch_is_known_by_the_record(spans: list[Span]) -> None:
    export_turn_spans(session(turn="m1"), TALK[4:5])
    assert [one.parent for one in spans] == [message_trace("s1", "m1")]


@pytest.mark.parametrize("duration_s", [-1.0, 1e7])
def test_an_impossible_duration_is_no_error(spans: list[Span], duration_s: float) -> None:
    export_turn_spans(session(turn="m1"), [TurnFinished(seq=1, at=AT, outcome="ok", duration_s=duration_s)])
    assert spans[0].start_ns <= spans[0].end_ns


async def test_a_model_call_lies_in_the_turn_that_its_session_is_in(
    harness: GatewayHarness, process: Process, spans: list[Span]
) -> None:
    await harness.add_session(ALICE)
    async with harness.gateway(watch_s=0.05):
        line = await harness.open_box(ALICE, process)
        given = str((await line("POST", "/internal/spec", {"session": "s1"})).body["token"])
        assert (await line("POST", "/v1/messages", ASK, headers={"x-api-key": given})).status == 200
        events = [msgspec.to_builtins(event) for event in TALK[:2]]
        assert (await line("POST", "/internal/events", {"session": "s1", "events": events})).body == {"acked": 2}
        assert (await line("POST", "/v1/messages", ASK, headers={"x-api-key": given})).status == 200
        kept = await harness.store.get(Session, "s1", owner=ALICE)
    first, second = [one for one in spans if one.name == "model call"]
    assert first.parent is None
    assert second.parent == current_turn(kept) == turn_trace(message_trace("s1", "m1"))
    assert second.attributes == {"oma.session": "s1", "http.response.status_code": 200}
