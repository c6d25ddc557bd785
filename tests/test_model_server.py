"""The scripted model against the real CLI: what other tests rely on when they write a directive."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    PermissionResultAllow,
    PermissionResultDeny,
    ResultMessage,
    StreamEvent,
    TextBlock,
    ToolPermissionContext,
)

from tests.model_script import deltas, script
from tests.model_server import ModelServer


class CliChat:
    """A conversation with the real CLI."""

    def __init__(self, client: ClaudeSDKClient) -> None:
        self.client, self.streamed = client, ""

    async def ask(self, text: str) -> tuple[list[str], ResultMessage]:
        """The finished text blocks and the result; `streamed` is the text as it came in deltas."""
        self.streamed, said = "", []
        await self.client.query(text)
        async for message in self.client.receive_response():
            if isinstance(message, StreamEvent):
                self.streamed += message.event.get("delta", {}).get("text", "")
            if isinstance(message, AssistantMessage):
                said += [block.text for block in message.content if isinstance(block, TextBlock)]
            if isinstance(message, ResultMessage):
                return said, message
        raise AssertionError("no result")


@pytest.fixture
async def chat(model: ModelServer, tmp_path: Path) -> AsyncIterator[CliChat]:
    async def decide(_: str, given: dict[str, Any], __: ToolPermissionContext) -> Any:
        return PermissionResultDeny(message="not now") if "secret" in str(given) else PermissionResultAllow()

    options = ClaudeAgentOptions(
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "ANTHROPIC_BASE_URL": model.url, "ANTHROPIC_API_KEY": "key"},
        include_partial_messages=True,
        can_use_tool=decide,
        max_buffer_size=1 << 24,
    )
    async with ClaudeSDKClient(options) as client:
        yield CliChat(client)


async def test_the_cli_says_what_the_script_says(chat: CliChat, model: ModelServer, tmp_path: Path) -> None:
    assert (await chat.ask("hello"))[0] == ["You said: hello"]
    assert (await chat.ask("N=5 GAP=0.01"))[0] == ["w0 w1 w2 w3 w4"] == [chat.streamed]
    assert (await chat.ask("SAY(((before)))TOOL(((touch x; echo $((40+2))))) SAY(((after)))"))[0] == ["before", "after"]
    assert (await chat.ask("WRITE(((note.txt)))(((안녕)))"))[0][0].startswith("Result: File created")
    assert (tmp_path / "note.txt").read_text() == "안녕"
    assert (await chat.ask("TOOL(((touch secret)))"))[0] == ["Refused: not now"]
    assert [asked.key for asked in model.turns] == ["key"] * len(model.turns)


async def test_a_cut_stream_is_asked_again_and_answered_in_other_words(chat: CliChat, model: ModelServer) -> None:
    for fault in ("CUT@3", "ERREVENT@3"):
        said, result = await chat.ask(f"{fault} N=5 GAP=0.01")
        assert said == ["again0 again1 again2 again3 again4"] and not result.is_error
        assert chat.streamed.startswith("w0 w1 w2")
        assert [asked.attempt for asked in model.turns if fault in asked.prompt] == [0, 1]


async def test_an_overloaded_model_answers_after_so_many_tries(chat: CliChat, model: ModelServer) -> None:
    assert (await chat.ask("ERR529x1 SAY(((at last)))"))[0] == ["at last"]
    assert len(model.turns) == 2


async def test_as_a_process_it_prints_its_address_and_tells_what_it_was_asked() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.model_server", stdout=-1)
    try:
        assert process.stdout
        url = (await asyncio.wait_for(process.stdout.readline(), 10)).decode().strip()
        async with aiohttp.ClientSession() as http:
            body = {"model": "m", "tools": [{}], "messages": [{"role": "user", "content": "hi"}]}
            async with http.post(f"{url}/v1/messages", json=body) as answer:
                assert (await answer.json())["content"] == [{"type": "text", "text": "You said: hi"}]
            async with http.get(f"{url}/_log") as answer:
                assert [asked["prompt"] for asked in await answer.json()] == ["hi"]
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("text", ["a  b\n\nc ", " lead", "\n", "한글 단어\n", "x" * 300_000])
def test_the_deltas_of_a_text_add_up_to_it(text: str) -> None:
    assert "".join(delta["text"] for delta in deltas({"type": "text", "text": text})) == text


def test_identical_requests_get_identical_answers() -> None:
    body = {"messages": [{"role": "user", "content": "N=3 THINK TOOL(((ls)))"}]}
    first, second = script(body, 0), script(body, 0)
    assert [block["type"] for block in first.blocks] == ["text", "thinking", "tool_use"]
    assert first.blocks[:2] == second.blocks[:2]
