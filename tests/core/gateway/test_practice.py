"""The practice model speaks the Messages API so that the real CLI takes it for a model."""

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from core.domain.records import UserId
from core.gateway.practice.tool_uses import TextBlock, fence
from core.gateway.providers import Call
from core.gateway.providers.practice import PracticeProvider, blocks_of, pieces, sse
from tests.core.gateway.test_anthropic import asking, served
from tests.core.gateway.test_builder import GREETING
from tests.timeouts import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]
HELLO = {"model": "claude-x", "stream": True, "messages": [{"role": "user", "content": "안녕?"}]}


def practiced(pace_s: float = 0.0) -> Any:
    provider = PracticeProvider(pace_s=pace_s)

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        call = Call(user=UserId("u"), agent="a", session="s", path=request.path, query="", headers={}, body=body)
        return await provider.answer(call, request)

    return served(answer)


def put_together(raw: str) -> dict[str, Any]:
    """The message that a client makes of a stream."""
    message: dict[str, Any] = {}
    for part in raw.strip().split("\n\n"):
        name, data = part.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"] | {"json": ""})
            case "content_block_delta" if event["delta"]["type"] == "text_delta":
                message["content"][event["index"]]["text"] += event["delta"]["text"]
            case "content_block_delta":
                message["content"][event["index"]]["json"] += event["delta"]["partial_json"]
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    assert event["type"] == "message_stop"
    return message


async def test_a_stream_and_a_whole_answer_say_the_same() -> None:
    async with practiced() as url:
        async with asking(url, HELLO) as answer:
            assert answer.content_type == "text/event-stream"
            streamed = put_together(await answer.text())
        async with asking(url, HELLO | {"stream": False}) as answer:
            whole = await answer.json()
    assert streamed["content"][0]["text"] == whole["content"][0]["text"] == GREETING
    for message in (streamed, whole):
        assert (message["model"], message["role"], message["stop_reason"]) == ("claude-x", "assistant", "end_turn")
        assert 0 < message["usage"]["input_tokens"] < 200 and 5 < message["usage"]["output_tokens"] < 200
    assert streamed["id"] != whole["id"], "asked again it is another message: the unfinished one is discarded"


async def test_the_first_words_come_at_once_and_the_rest_at_a_pace() -> None:
    async with practiced(pace_s=0.2) as url, asking(url, HELLO) as answer:
        began = time.monotonic()
        first = await answer.content.readuntil(b"text_delta")
        soon = time.monotonic() - began
        rest = await answer.content.read()
        assert time.monotonic() - began > 5 * 0.2 > soon
        assert first and rest.count(b"text_delta") > 5


def test_a_tool_call_arrives_as_the_json_that_was_meant() -> None:
    given_ = {"file_path": "/a/CLAUDE.md", "content": "가\n\u2028" * 500}
    message = {
        "content": [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "t", "name": "Write", "input": given_}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 9},
    }
    received = put_together(b"".join(sse(message)).decode())
    assert json.loads(received["content"][1]["json"]) == given_
    assert received["content"][1]["input"] == {}
    assert received["stop_reason"] == "tool_use"


@given(st.text())
def test_a_text_in_pieces_is_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


@given(st.text(alphabet="`ab\n", max_size=200))
def test_output_cannot_leave_its_code_block(output: str) -> None:
    first, *_, last = fence(output).split("\n")
    assert first == last and set(first) == {"`"}
    assert fence(output).count(first) == 2


async def test_tokens_are_counted() -> None:
    async with practiced() as url:
        counts = []
        for text in ("short", "long " * 500):
            async with asking(url, {"messages": [{"role": "user", "content": text}]}) as answer:
                counts.append((await answer.json())["usage"]["input_tokens"])
    assert counts[0] * 10 < counts[1]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"[" * 100_000])
async def test_what_is_no_request_is_refused_in_the_apis_words(body: bytes) -> None:
    async with practiced() as url, aiohttp.ClientSession() as http:
        async with http.post(f"{url}/v1/messages", data=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["type"] == "invalid_request_error"


def spoken(body: dict[str, Any]) -> str:
    return "".join(block.text for block in blocks_of(body) if isinstance(block, TextBlock))


def asked_for(text: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}], **more}


def test_the_clis_side_requests_get_what_they_expect() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}, "is_new": {"type": "boolean"}}}
    wanted = {"format": {"type": "json_schema", "schema": schema}}
    assert json.loads(spoken(asked_for("환율 알려 줘", output_config=wanted))) == {
        "title": "환율 알려 줘",
        "is_new": False,
    }
    assert spoken(asked_for("환율 알려 줘", system="Generate a concise title")) == "환율 알려 줘"
    assert json.loads(spoken(asked_for("x", system="… isNewTopic …")))["isNewTopic"] is True
    assert spoken(asked_for("quota", max_tokens=1)) == "."


def test_a_summary_holds_what_was_said() -> None:
    messages = [
        {"role": "user", "content": "환율 알려 줘"},
        {"role": "assistant", "content": "어느 나라요?"},
        {"role": "user", "content": "Your task is to create a detailed summary of the conversation so far"},
    ]
    summary = spoken({"messages": messages, "tools": [{"name": "Bash"}]})
    assert summary.startswith("<summary>") and "환율 알려 줘" in summary and "detailed summary" not in summary


async def test_many_at_once_do_not_mix() -> None:
    async with practiced(pace_s=0.001) as url:

        async def one(text: str) -> str:
            async with asking(url, HELLO | {"messages": [{"role": "user", "content": text}]}) as answer:
                return str(put_together(await answer.text())["content"][0]["text"])

        texts = ["안녕?", "hello", "매일 날씨를 알려 줘", "sort my inbox"] * 5
        answers = await asyncio.gather(*(one(text) for text in texts))
    assert answers == answers[:4] * 5
    assert len(set(answers)) == 4


READS = """
import sys
opened = []
sys.addaudithook(lambda event, about: opened.append(str(about[0])) if event == "open" else None)
import core.gateway.cluster_server, core.gateway.local_server
from core.config.settings import Secret, Settings
from core.gateway.providers.factory import provider_for
provider_for(Settings(model="{model}", anthropic_api_key=Secret("sk-ant-x")))
loaded = [name for name in sys.modules if name.startswith(("core.gateway.practice", "core.gateway.providers.practice"))]
print(sorted(loaded) or "nothing", [path for path in opened if "/practice" in path])
"""


@pytest.mark.parametrize("model", ["anthropic", "practice"])
def test_the_practice_model_is_neither_imported_nor_read_where_another_one_is_chosen(model: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READS.format(model=model)], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert (done.stdout.strip() == "nothing []") == (model == "anthropic"), done.stdout
