"""Trace context: what is written and believed of it, and how it holds a message together."""

import asyncio

import pytest

from core.observability import tracing
from core.observability.tracing import Span, Trace, message_trace, parse, turn_trace

HERE = Trace(trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7")


def test_a_header_is_read_as_it_was_written() -> None:
    assert parse(HERE.header) == HERE
    assert HERE.header == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "header",
    ["", "00", HERE.header.upper(), HERE.header + "\n", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01",
     HERE.header.replace("4bf9", "４bf9"), HERE.header + "x" * 100_000],
)  # fmt: skip
def test_what_is_no_header_of_ours_is_none(header: str) -> None:
    assert parse(header) is None


def test_every_process_knows_the_trace_of_a_message_and_nobody_elses_is_the_same() -> None:
    assert message_trace("s1", "m1") == message_trace("s1", "m1")
    places = [
        message_trace("s1", "m1"),
        message_trace("s1", "m2"),
        message_trace("s2", "m1"),
        message_trace("s1m", "1"),
    ]
    assert len({place.trace_id for place in places}) == 4
    assert turn_trace(places[0]).trace_id == places[0].trace_id
    assert turn_trace(places[0]).span_id != places[0].span_id
    assert parse(message_trace("s\ud800", "한글").header)


def test_spans_lie_in_each_other_and_tell_of_failure() -> None:
    spans: list[Span] = []
    before = tracing.sink.set(spans.append)
    with pytest.raises(ZeroDivisionError), tracing.span("outer", kind="server"), tracing.client_span("inner"):
        raise ZeroDivisionError
    tracing.sink.reset(before)
    inner, outer = spans
    assert (inner.name, outer.name, inner.parent, outer.parent) == ("inner", "outer", outer.at, None)
    assert inner.failed and outer.failed
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns
    assert tracing.current.get() is None


def test_what_we_do_by_ourselves_is_no_trace() -> None:
    spans: list[Span] = []
    before = tracing.sink.set(spans.append)
    with tracing.client_span("a sweep"):
        assert tracing.current.get() is None
    tracing.sink.reset(before)
    assert spans == []


async def test_two_messages_at_once_have_a_trace_each() -> None:
    async def one(message: str) -> tuple[str, str]:
        with tracing.span("message", at=message_trace("s1", message)):
            await asyncio.sleep(0)
            here = tracing.current.get()
            assert here
            return message, here.trace_id

    found = await asyncio.gather(*(one(f"m{n}") for n in range(5)))
    assert all(message_trace("s1", message).trace_id == trace_id for message, trace_id in found)
