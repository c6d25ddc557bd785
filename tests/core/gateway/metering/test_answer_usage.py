"""Tests that a call's usage is read from the bytes of its answer, however they are cut, and also if they break off."""

import msgspec
import pytest

from core.gateway.metering.answer_usage import BODY_BYTES, AnswerUsage, CallUsage


def sse(**event: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


START = {
    "model": "claude-opus-5",
    "usage": {
        "input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 40,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
    },
}  # fmt: skip
WORDS = "and words that look like ours: message_start, data: {}"
STREAM = (
    sse(type="message_start", message=START)
    + sse(type="content_block_delta", index=0, delta={"type": "text_delta", "text": WORDS})
    + sse(type="message_delta", delta={}, usage={"output_tokens": 25, "server_tool_use": {"web_search_requests": 2}})
    + sse(type="message_stop")
)
WHOLE = CallUsage(
    model="claude-opus-5", input_tokens=10, output_tokens=25, cache_write_5m_tokens=20, cache_write_1h_tokens=10,
    cache_read_tokens=40, web_searches=2,
)  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_a_stream_is_read_however_it_is_cut(size: int) -> None:
    usage = AnswerUsage(streams=True)
    for start in range(0, len(STREAM), size):
        assert not usage.ended or start > len(STREAM) - 3
        usage.feed(STREAM[start : start + size])
    assert usage.ended
    assert usage.used == WHOLE


def test_an_answer_that_is_no_stream_is_read_at_its_end() -> None:
    usage = AnswerUsage(streams=False)
    whole = msgspec.json.encode(START)
    usage.feed(whole[:20])
    usage.feed(whole[20:])
    usage.end()
    assert usage.used == msgspec.structs.replace(WHOLE, output_tokens=1, web_searches=0)


def test_an_answer_that_broke_off_counts_what_was_written() -> None:
    usage = AnswerUsage(streams=True)
    usage.feed(sse(type="message_start", message=START))
    for _ in range(100):
        usage.feed(sse(type="content_block_delta", index=0, delta={"type": "text_delta", "text": "word" * 4}))
    assert usage.used.output_tokens == pytest.approx(400, rel=0.1)
    assert usage.used.input_tokens == 10


@pytest.mark.parametrize("streams", [True, False])
def test_an_answer_without_usage_has_none_and_one_without_end_fills_no_memory(streams: bool) -> None:
    usage = AnswerUsage(streams=streams)
    for _ in range(2 * BODY_BYTES // 2**20):
        usage.feed(b"x" * 2**20)
    usage.end()
    assert usage.used == CallUsage()
    assert len(usage._rest) <= BODY_BYTES
