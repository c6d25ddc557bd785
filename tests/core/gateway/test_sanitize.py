"""Tests that every event of a box comes out as one that can be stored, or as a refusal."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.errors import BadInput
from core.domain.events import AnyEvent, ToolCalled, TurnFinished, decode, encode, seq_of
from core.gateway.sanitize import ITEMS, NAME_CHARS, TEXT_CHARS, TOKENS, sanitize, stands_in

KINDS = [kind.__struct_config__.tag for kind in AnyEvent.__args__]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
names = st.sampled_from(
    [
        "id",
        "name",
        "input",
        "text",
        "message",
        "block",
        "at",
        "request_id",
        "kind",
        "outcome",
        "usage",
        "cost_usd",
        "state",
        "items",
        "agent",
    ]
)


@given(
    seq=st.integers(min_value=-5, max_value=2**40) | st.none() | st.text(),
    kind=st.sampled_from(KINDS) | st.text(),
    fields=st.dictionaries(names, values, max_size=6),
)
def test_it_can_be_kept_or_is_refused(seq: Any, kind: str, fields: dict[str, Any]) -> None:
    try:
        event = sanitize(msgspec.json.encode({**fields, "seq": seq, "type": kind}))
    except (BadInput, msgspec.DecodeError):
        return
    assert seq_of(event) == seq
    assert decode(encode(event)) == event


@given(st.binary(max_size=200))
def test_bytes_that_are_no_event_are_refused(raw: bytes) -> None:
    with pytest.raises((BadInput, msgspec.DecodeError, UnicodeDecodeError)):
        sanitize(raw)


def called(**given_: Any) -> ToolCalled:
    event = sanitize(msgspec.json.encode({"type": "tool_called", "seq": 1, "id": "t", "name": "n", **given_}))
    assert isinstance(event, ToolCalled)
    return event


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_elsewhere_is_none(at: str) -> None:
    event = sanitize(msgspec.json.encode({"type": "notice", "seq": 1, "text": "x", "at": at}))
    assert stands_in(event) and seq_of(event) == 1


def test_everything_has_a_bound() -> None:
    event = called(
        name="n" * 9_999,
        input={
            "text": "x" * (TEXT_CHARS + 5),
            "many": list(range(ITEMS + 5)),
            "big": 10**30,
            "name": "m" * 9_999,
            "k" * 999: 1,
        },
    )
    assert len(event.name) == NAME_CHARS
    assert len(event.input["text"]) == TEXT_CHARS
    assert len(event.input["many"]) == ITEMS
    assert event.input["big"] == str(10**30)
    assert len(event.input["name"]) == 9_999, "only what we name ourselves is short: a tool's input is the tool's"
    assert max(len(key) for key in event.input) == NAME_CHARS


def test_what_is_too_deep_is_cut_there() -> None:
    deep: Any = "bottom"
    for _ in range(100):
        deep = {"in": deep}
    assert "bottom" not in str(called(input=deep).input)


def test_a_text_is_kept_byte_for_byte() -> None:
    text = "a\x00b\r\n\u2028\U0001f600 " * 1000
    event = sanitize(msgspec.json.encode({"type": "text", "seq": 1, "message": "m", "block": 0, "text": text}))
    assert event.text == text  # type: ignore[union-attr]


@pytest.mark.parametrize("cost", [-5.0, 1e300])
def test_a_turn_costs_what_no_runner_says(cost: float) -> None:
    usage = {"input_tokens": -7, "output_tokens": 10**15}
    event = sanitize(
        msgspec.json.encode(
            {
                "type": "turn_finished",
                "seq": 1,
                "outcome": "ok",
                "cost_usd": cost,
                "usage": usage,
                "model": "m" * 5000,
                "context_tokens": -1,
                "window_tokens": 10**15,
            }
        )
    )
    assert isinstance(event, TurnFinished)
    assert event.cost_usd == 0, "a runner's word on money does not count"
    assert (event.usage.input_tokens, event.usage.output_tokens) == (0, TOKENS)
    assert (len(event.model), event.context_tokens, event.window_tokens) == (NAME_CHARS, 0, TOKENS)
