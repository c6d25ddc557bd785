"""The CLI's lines as events: pure, by allow list, and never surprised."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.domain.events import (
    Notice,
    Picture,
    Retrying,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCalled,
    ToolProgress,
    ToolReturned,
    encode,
)
from core.runner import truncation
from core.runner.stream_json import TASKS, BackgroundChanged, Began, TakenIn, Translator
from core.runner.turn_result import TurnResult, turn_over


def stream(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "uuid": "11111111-x", "parent_tool_use_id": None, **more}


def start(name: str, uuid: str = "11111111-x") -> dict[str, Any]:
    return stream({"type": "message_start", "message": {"id": name}}, uuid=uuid)


def delta(text: str, index: int = 0, kind: str = "text") -> dict[str, Any]:
    body = {"type": "text_delta", "text": text} if kind == "text" else {"type": "thinking_delta", "thinking": text}
    return stream({"type": "content_block_delta", "index": index, "delta": body})


def opened(index: int = 0, kind: str = "text") -> dict[str, Any]:
    return stream({"type": "content_block_start", "index": index, "content_block": {"type": kind}})


def assistant(name: str, *blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"id": name, "content": list(blocks)}, "uuid": "22222222-x", **more}


def hear(translator: Translator, *lines: dict[str, Any]) -> list[Any]:
    return [item for line in lines for item in translator.feed(line)]


def test_deltas_and_the_final_block_have_the_same_name() -> None:
    heard = hear(
        Translator(),
        start("msg_1"),
        opened(0, "thinking"),
        delta("hm", 0, "thinking"),
        assistant("msg_1", {"type": "thinking", "thinking": "hm"}),
        opened(1),
        delta("a", 1),
        delta("b", 1),
        assistant("msg_1", {"type": "text", "text": "ab"}),
        opened(2, "tool_use"),
        assistant("msg_1", {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}),
    )
    message = "msg_1.11111111"
    assert heard == [
        Began("msg_1"),
        ThinkingDelta(message=message, block=0, text="hm"),
        Thinking(message=message, block=0, text="hm"),
        TextDelta(message=message, block=1, text="a"),
        TextDelta(message=message, block=1, text="b"),
        Text(message=message, block=1, text="ab"),
        ToolCalled(id="t1", name="Bash", input={"command": "ls"}),
    ]


def test_a_message_asked_again_has_another_name_even_with_the_same_id() -> None:
    translator = Translator()
    hear(translator, start("msg_1", "aaaaaaaa-1"), opened(), delta("cut"))
    heard = hear(translator, start("msg_1", "bbbbbbbb-2"), opened(), delta("whole"))
    assert translator.unfinished() == [TextDelta(message="msg_1.bbbbbbbb", block=0, text="whole")]
    assert heard[-1].message == "msg_1.bbbbbbbb"


def test_an_answer_that_comes_whole_discards_the_cut_one_by_a_delta_of_its_own() -> None:
    translator = Translator()
    hear(translator, start("msg_1"), opened(), delta("cut"))
    heard = hear(translator, assistant("msg_2", {"type": "text", "text": "one"}, {"type": "text", "text": "two"}))
    message = "msg_2.22222222"
    assert heard == [
        Began("msg_2"),
        TextDelta(message=message, block=0, text="one"),
        Text(message=message, block=0, text="one"),
        TextDelta(message=message, block=1, text="two"),
        Text(message=message, block=1, text="two"),
    ]
    assert translator.unfinished() == []


def test_a_turn_that_breaks_off_keeps_its_unfinished_text_once() -> None:
    translator = Translator()
    hear(
        translator,
        start("m"),
        opened(0, "thinking"),
        delta("t", 0, "thinking"),
        opened(1),
        delta("par", 1),
        delta("t", 1),
    )
    assert translator.break_off() == [Text(message="m.11111111", block=1, text="part", partial=True)]
    assert translator.break_off() == []


def test_what_a_subagent_says_is_left_out_and_what_it_does_has_its_parent() -> None:
    heard = hear(
        Translator(),
        stream({"type": "message_start", "message": {"id": "m"}}, parent_tool_use_id="t0"),
        assistant("m", {"type": "text", "text": "inner"}, parent_tool_use_id="t0"),
        assistant("m", {"type": "tool_use", "id": "t1", "name": "Read", "input": {}}, parent_tool_use_id="t0"),
    )
    assert heard == [ToolCalled(id="t1", name="Read", input={}, parent="t0")]


def test_results_of_tools_are_text_and_cut_to_size() -> None:
    content = [{"type": "text", "text": "x" * 70_000}, {"type": "image", "source": {}}]
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content, "is_error": True}
    (returned,) = hear(Translator(), {"type": "user", "message": {"content": [block, {"type": "text", "text": "no"}]}})
    assert isinstance(returned, ToolReturned)
    assert (returned.ok, len(returned.content), returned.truncated) == (False, truncation.CONTENT_CHARS, True)
    assert returned.full_size == 70_000 + len("\n[image]")


def test_a_call_that_was_given_up_when_its_turn_was_stopped_says_so_without_the_clis_words_to_the_model() -> None:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": "The user doesn't want to", "is_error": True}
    line = {"type": "user", "message": {"content": [block, {**block, "tool_use_id": "t2"}]}}
    meta = [{"id": "t1", "non_execution_kind": "user-rejected"}, {"id": "t2", "non_execution_kind": "permission-rule"}]
    stopped, denied = hear(Translator(), {**line, "tool_result_meta": meta})
    assert stopped == ToolReturned(id="t1", ok=False, stopped=True)
    assert (denied.stopped, denied.content) == (False, "The user doesn't want to")


def test_a_result_that_the_cli_has_put_into_a_file_is_its_beginning_and_its_size_and_no_markup_of_the_clis() -> None:
    text = (
        "<persisted-output>\nOutput too large (164.9KB). Full output saved to: /home/agent/.claude/x/y.txt\n\n"
        "Preview (first 2KB):\n1\n2\n3\n...\n</persisted-output>"
    )
    block = {"type": "tool_result", "tool_use_id": "t1", "content": text}
    (returned,) = hear(Translator(), {"type": "user", "message": {"content": [block]}})
    assert (returned.content, returned.truncated, returned.full_size) == ("1\n2\n3", True, 168_857)
    more = {"persistedOutputSize": 168_894}
    line = {"type": "user", "message": {"content": [block]}, "tool_use_result": more}
    assert hear(Translator(), line)[0].full_size == 168_894


def test_small_pictures_are_kept_and_others_named() -> None:
    def image(kind: str, data: str) -> dict[str, Any]:
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}

    content = [image("image/png", "AAAA"), image("image/png", "A" * 800_000), image("image/svg+xml", "AAAA")]
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content}
    (returned,) = hear(Translator(), {"type": "user", "message": {"content": [block]}})
    assert returned.pictures == (Picture(media_type="image/png", data="AAAA"),)
    assert returned.content == "[image]\n[image]"


def test_a_cleared_conversation_is_told() -> None:
    assert hear(Translator(), {"type": "conversation_reset", "trigger": "clear"}) == [Notice(text="context_cleared")]


def test_the_clis_own_error_texts_are_not_the_models_words() -> None:
    line = assistant("m", {"type": "text", "text": "API Error: 400"}, error="unknown", is_api_error_message=True)
    assert hear(Translator(), line) == []


def test_system_lines_that_mean_something() -> None:
    retry = {"type": "system", "subtype": "api_retry", "attempt": 2, "retry_delay_ms": 550, "error_status": 529,
             "error": "overloaded"}  # fmt: skip
    life = {"type": "command_lifecycle", "command_uuid": "u1", "state": "started"}
    progress = {"type": "tool_progress", "tool_use_id": "t", "elapsed_time_seconds": 3}
    heard = hear(Translator(), retry, life, progress, {"type": "system", "subtype": "init"}, {"type": "news"})
    assert heard == [
        Retrying(reason="model_overloaded", in_s=0.55, attempt=2),
        TakenIn(("u1",)),
        ToolProgress(id="t", elapsed_s=3.0),
    ]


@pytest.mark.parametrize(
    ("result", "outcome", "reason"),
    [
        ({"subtype": "success", "is_error": False}, "ok", ""),
        ({"is_error": True, "api_error_status": 529, "result": "Overloaded"}, "error", "model_overloaded"),
        ({"subtype": "success", "is_error": True, "api_error_status": 400, "result": "x"}, "error", "request_refused"),
        ({"is_error": True, "api_error_status": 500, "result": "x"}, "error", "model_error"),
        ({"subtype": "success", "is_error": True, "api_error_status": 400,
          "result": "API Error: 400 bad_token: the token is too old"}, "error", "model_error"),
        ({"subtype": "success", "is_error": True, "result": "API Error: unable to respond to this request, which "
          "appears to violate our Usage Policy"}, "error", "model_declined"),
        ({"is_error": True, "api_error_status": 403, "result": "x"}, "error", "model_key_refused"),
        ({"subtype": "success", "is_error": True, "api_error_status": 400,
          "result": "API Error: 400 model_key_refused"}, "error", "model_key_refused"),
        ({"subtype": "success", "is_error": True, "api_error_status": 400,
          "result": "prompt is too long: 300000 tokens"}, "error", "too_long"),
        ({"subtype": "success", "is_error": True, "result": "API Error: Connection error."}, "error", "no_answer"),
        ({"subtype": "error_during_execution", "is_error": True, "terminal_reason": "aborted_streaming"},
         "interrupted", "stopped_by_user"),
        ({"subtype": "error_max_turns", "is_error": True}, "limit", "max_turns"),
        ({"subtype": "success", "is_error": True, "result": "spend_limit reached"}, "limit", "spend_limit"),
        ({"subtype": "success", "is_error": True, "result": "max_turns: this run has made"}, "limit", "max_turns"),
        ({}, "ok", ""),
    ],
)  # fmt: skip
def test_a_result_is_an_outcome_and_a_reason(result: dict[str, Any], outcome: str, reason: str) -> None:
    over = turn_over(result)
    assert (over.outcome, over.reason) == (outcome, reason)


def test_a_result_says_what_was_used_and_which_messages_it_took_in() -> None:
    over = turn_over(
        {
            "is_error": False,
            "usage": {"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 5},
            "duration_ms": 1500,
            "user_message_uuids": ["a", "b"],
        }
    )
    assert (over.usage.input_tokens, over.usage.output_tokens, over.usage.cache_read_tokens) == (3, 4, 5)
    assert (over.duration_s, over.uuids) == (1.5, ("a", "b"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    ["type", "event", "message", "content", "id", "index", "delta", "text", "thinking", "subtype", "result", "uuid",
     "user_message_uuids", "usage", "input", "tool_use_id", "name", "errors", "is_error", "parent_tool_use_id"]
)  # fmt: skip
KINDS = st.sampled_from(
    ["stream_event", "assistant", "user", "system", "result", "tool_progress", "command_lifecycle", "message_start",
     "content_block_start", "content_block_delta", "text_delta", "text", "thinking", "tool_use", "tool_result"]
)  # fmt: skip
HOSTILE = st.recursive(
    JSON | KINDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=20
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(WORDS, HOSTILE, max_size=8), max_size=6))
def test_no_line_of_json_is_too_strange(lines: list[dict[str, Any]]) -> None:
    translator = Translator()
    for item in hear(translator, *lines):
        if not isinstance(item, Began | TakenIn | TurnResult):
            encode(item)
    for left in translator.break_off():
        encode(left)


def test_a_large_input_is_cut_always_the_same_way() -> None:
    raw = {"content": "x" * 1_000_000, "more": ["y" * 100_000] * 20, "deep": [[[[[[[[[[[[[["z"]]]]]]]]]]]]]], "n": 1}
    assert truncation.tool_input(raw) == truncation.tool_input(raw)
    assert len(str(truncation.tool_input(raw))) < 700_000 and truncation.tool_input(raw)["n"] == 1
    assert truncation.tool_input({"command": "ls"}) == {"command": "ls"} and truncation.tool_input("no") == {}


def test_the_work_in_the_background_is_what_the_cli_says_last_and_bounded() -> None:
    def changed(tasks: object) -> dict[str, Any]:
        return {"type": "system", "subtype": "background_tasks_changed", "tasks": tasks}

    task = {"task_id": "b1", "task_type": "local_bash", "description": "wait"}
    assert hear(Translator(), changed([task, task])) == [BackgroundChanged(("wait", "wait"))]
    assert hear(Translator(), changed([{"description": 7}, "x"])) == [BackgroundChanged(("",))]
    assert hear(Translator(), changed([])) == [BackgroundChanged(())]
    assert hear(Translator(), changed("none")) == []
    (many,) = hear(Translator(), changed([{"description": "d" * 9_999}] * 9_999))
    assert len(many.tasks) == TASKS and max(map(len, many.tasks)) <= 128
