"""The real Claude Code CLI builds an agent with the practice model, through a box's own socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    PermissionResultAllow,
    PermissionResultDeny,
    TextBlock,
    ToolUseBlock,
    create_sdk_mcp_server,
    tool,
)

from core.config.runtime_dir import Process
from tests.core.gateway.gateway_harness import ALICE, BoxHttp, GatewayHarness
from tests.core.gateway.test_builder import ANSWER, GREETING, WISH
from tests.core.gateway.test_decisions import ALLOWED

TURN_S = 60.0
DECIDED = PermissionResultAllow | PermissionResultDeny


@asynccontextmanager
async def bridge(box_http: BoxHttp) -> AsyncIterator[str]:
    """A loopback port that leads to a unix socket, byte for byte; its URL."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_unix_connection(str(box_http.socket))
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def allow() -> DECIDED:
    return PermissionResultAllow()


async def not_yet() -> DECIDED:
    return PermissionResultDeny(message="not yet")


class Person:
    """Somebody at the CLI: what they say, what they see, and what they decide about Bash."""

    def __init__(self, folder: Path, url: str, token: str) -> None:
        self.asked: list[str] = []
        self.drafts: list[dict[str, Any]] = []
        self.used: list[str] = []
        self.session = ""
        self.decide: Callable[[], Awaitable[DECIDED]] = allow
        (folder / "agent").mkdir(parents=True)
        self.folder = folder / "agent"
        environ = {
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": token,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
        }
        self.environ = environ | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}

    @asynccontextmanager
    async def cli(self) -> AsyncIterator[ClaudeSDKClient]:
        @tool("draft_agent", "Record the agent.", {"name": str, "description": str, "icon": str})
        async def draft_agent(given: dict[str, Any]) -> dict[str, Any]:
            self.drafts.append(given)
            return {"content": [{"type": "text", "text": "Saved."}]}

        options = ClaudeAgentOptions(
            cwd=self.folder,
            env=self.environ,
            mcp_servers={"oma": create_sdk_mcp_server("oma", tools=[draft_agent])},
            can_use_tool=self._ask,
            permission_mode="acceptEdits",
            system_prompt={
                "type": "preset",
                "preset": "claude_code",
                "append": "You are the agent builder of Oh My Agent.",
            },
            setting_sources=["project"],
            resume=self.session or None,
        )
        async with ClaudeSDKClient(options) as client:
            yield client

    async def say(self, client: ClaudeSDKClient, text: str) -> str:
        """Run a turn and return everything that the model said in it."""
        said: list[str] = []
        async with asyncio.timeout(TURN_S):
            await client.query(text)
            async for message in client.receive_response():
                self.session = getattr(message, "session_id", "") or self.session
                if isinstance(message, AssistantMessage):
                    said += [block.text for block in message.content if isinstance(block, TextBlock)]
                    self.used += [block.name for block in message.content if isinstance(block, ToolUseBlock)]
        return "\n".join(said)

    async def _ask(self, name: str, given: dict[str, Any], _: Any) -> DECIDED:
        if name != "Bash":
            return PermissionResultAllow()
        self.asked.append(given["command"])
        return await self.decide()


@pytest.fixture
async def person(harness: GatewayHarness, process: Process, tmp_path: Path) -> AsyncIterator[Person]:
    await harness.add_session(ALICE)
    async with harness.gateway():
        box_http = await harness.open_box(ALICE, process)
        token = (await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"]
        async with bridge(box_http) as url:
            yield Person(tmp_path / "home", url, token)


async def test_from_hello_to_a_finished_agent_and_a_change(person: Person) -> None:
    async with person.cli() as client:
        assert await person.say(client, "안녕?") == GREETING
        assert "?" in await person.say(client, WISH)
        report = await person.say(client, ANSWER)
        assert person.asked == ["python3 main.py"], "it asked before it ran"
        assert "미국 달러: 1,382.5 -> 1,391.2 (+0.6%)" in report
        assert person.drafts[0]["name"] == "환율 알림이"
        assert ANSWER in (person.folder / "CLAUDE.md").read_text()
        assert "반영했어요" in await person.say(client, "주말은 빼 줘")
        assert "- 주말은 빼 줘" in (person.folder / "CLAUDE.md").read_text()


async def test_a_denial_is_taken_and_a_change_of_mind_too(person: Person) -> None:
    person.decide = not_yet
    async with person.cli() as client:
        await person.say(client, "Make an agent that tidies my to-do list")
        answer = await person.say(client, "Short, as a list")
        assert 'I have read your note: "not yet"' in answer
        assert person.asked == ["python3 main.py"]
        person.decide = allow
        assert "Prepare the team meeting" in await person.say(client, "ok, run it")


async def test_a_request_left_open_by_a_dead_cli_is_made_again_when_it_is_allowed(person: Person) -> None:
    waiting = asyncio.Event()

    async def never() -> DECIDED:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    person.decide = never
    async with person.cli() as client:
        await person.say(client, WISH)
        turn = asyncio.create_task(person.say(client, ANSWER))
        await asyncio.wait_for(waiting.wait(), TURN_S)
        turn.cancel()
        await asyncio.gather(turn, return_exceptions=True)
    person.decide = allow
    async with person.cli() as client:
        report = await person.say(client, ALLOWED)
    assert person.asked == ["python3 main.py"] * 2
    assert "미국 달러" in report and "실행이 끝났고" in report
