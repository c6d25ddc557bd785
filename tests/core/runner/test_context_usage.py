"""Tests of the context meter: the API's own counts of the last answer, and the CLI's size of the context."""

from typing import Any

import pytest

from core.runner.stream_json import Translator
from core.runner.turn_result import TurnResult
from tests.core.runner.test_stream_json import hear, stream

SONNET = "claude-sonnet-4-5-20250929"
RESULT: dict[str, Any] = {"type": "result", "is_error": False, "modelUsage": {SONNET: {"contextWindow": 200_000}}}
ASKED = {"input_tokens": 10, "cache_read_input_tokens": 900, "cache_creation_input_tokens": 80, "output_tokens": 1}


def begun(usage: dict[str, Any], model: str = SONNET, **more: Any) -> dict[str, Any]:
    return stream({"type": "message_start", "message": {"id": "m", "model": model, "usage": usage}}, **more)


def counted(**usage: Any) -> dict[str, Any]:
    return stream({"type": "message_delta", "usage": usage})


def end(*lines: dict[str, Any], result: dict[str, Any] = RESULT) -> TurnResult:
    over = hear(Translator(), *lines, result)[-1]
    assert isinstance(over, TurnResult)
    return over


def test_it_is_what_the_last_answer_took_in_and_gave_out_not_the_sum_of_the_turn() -> None:
    over = end(begun({**ASKED, "input_tokens": 5000}), begun(ASKED), counted(output_tokens=50, input_tokens=None))
    assert (over.model, over.context_tokens, over.window_tokens) == (SONNET, 10 + 900 + 80 + 50, 200_000)


def test_a_subagents_answer_is_another_context() -> None:
    inside = begun({**ASKED, "input_tokens": 7}, model="claude-haiku-4-5", parent_tool_use_id="t1")
    over = end(begun(ASKED), inside)
    assert (over.model, over.context_tokens) == (SONNET, 991)


def test_an_answer_that_came_whole_counts_too_and_the_clis_own_words_do_not() -> None:
    whole = {"type": "assistant", "message": {"id": "w", "model": SONNET, "usage": ASKED, "content": []}}
    own = {"type": "assistant", "message": {"id": "x", "model": "<synthetic>", "usage": {"input_tokens": 0}}}
    over = end(whole, own)
    assert (over.model, over.context_tokens) == (SONNET, 991)


def test_a_turn_without_an_answer_names_no_model() -> None:
    assert end().model == ""


def test_after_compacting_it_is_unknown_until_the_next_answer() -> None:
    compacted = {"type": "system", "subtype": "compact_boundary"}
    over = end(begun(ASKED), compacted)
    assert (over.model, over.context_tokens) == (SONNET, 0)
    assert end(begun(ASKED), compacted, begun({"input_tokens": 30})).context_tokens == 30


@pytest.mark.parametrize(
    ("models", "window"),
    [
        ({SONNET: {"contextWindow": 200_000}, "claude-haiku-4-5": {"contextWindow": 1}}, 200_000),
        ({f"{SONNET}[1m]": {"contextWindow": 1_000_000}}, 1_000_000),
        ({"claude-haiku-4-5": {"contextWindow": 200_000}}, 0),
        ({SONNET: {"contextWindow": "200000"}}, 0),
        ({SONNET: {"contextWindow": -1}}, 0),
        ({SONNET: None}, 0),
        ({}, 0),
        (None, 0),
        ([SONNET], 0),
    ],
)
def test_how_much_fits_is_what_the_cli_says_of_this_model_or_unknown(models: object, window: int) -> None:
    assert end(begun(ASKED), result=RESULT | {"modelUsage": models}).window_tokens == window


def test_nothing_that_is_counted_strangely_breaks_it() -> None:
    strange = begun({"input_tokens": "many", "output_tokens": -5, "cache_read_input_tokens": 1e300})
    assert end(strange, counted(output_tokens=True)).context_tokens == 0
