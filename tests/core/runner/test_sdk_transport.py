"""Tests of the CLI's calls of our own tools over the control protocol: they are answered and bounded."""

import asyncio
from typing import Any

import msgspec
import pytest

from core.runner.cli_client import CALLS, SdkTransport

Json = dict[str, Any]


class Cli:
    """The part of a CLI that a transport uses."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.on_message: Any = None
        self.on_exit: Any = None
        self.written: list[Json] = []
        self.terminated = 0

    def write(self, line: bytes) -> None:
        self.written.append(msgspec.json.decode(line)["response"])

    def terminate(self) -> None:
        self.terminated += 1


class Tools:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.calls = 0

    async def answer(self, message: Json) -> Json:
        self.calls += 1
        await self.may.wait()
        if message["method"] == "broken":
            raise RuntimeError("a mistake of ours")
        return {"id": message["id"]}


@pytest.fixture
def cli() -> Cli:
    return Cli()


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def wire(cli: Cli, tools: Tools) -> SdkTransport:
    return SdkTransport(cli, lambda _: None, lambda: None, tools)  # type: ignore[arg-type]


def request(number: int, method: str = "ping") -> Json:
    message = {"jsonrpc": "2.0", "id": number, "method": method}
    asked = {"subtype": "mcp_message", "server_name": "oma", "message": message}
    return {"type": "control_request", "request_id": f"r{number}", "request": asked}


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_is_answered_by_its_own_name_a_mistake_of_ours_too(
    wire: SdkTransport, cli: Cli, tools: Tools, caplog: pytest.LogCaptureFixture
) -> None:
    tools.may.set()
    cli.on_message(request(1))
    cli.on_message(request(2, "broken"))
    await settled()
    good, bad = sorted(cli.written, key=lambda line: line["request_id"])
    assert good == {"request_id": "r1", "subtype": "success", "response": {"mcp_response": {"id": 1}}}
    assert (bad["request_id"], bad["subtype"], bad["error"]) == ("r2", "error", "RuntimeError: a mistake of ours")
    assert "a tool of ours" in caplog.messages
    caplog.clear()


async def test_a_cli_that_asks_without_end_is_not_believed(wire: SdkTransport, cli: Cli, tools: Tools) -> None:
    for number in range(CALLS):
        cli.on_message(request(number))
    assert not cli.terminated
    cli.on_message(request(CALLS))
    await settled()
    assert (cli.terminated, tools.calls) == (1, CALLS)


async def test_with_the_cli_its_calls_end(wire: SdkTransport, cli: Cli, tools: Tools) -> None:
    cli.on_message(request(1))
    await settled()
    cli.on_exit()
    tools.may.set()
    await settled()
    assert (tools.calls, cli.written) == (1, [])
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "tool call"]


@pytest.mark.parametrize("broken", ["mcp_message", ["subtype"], 7, None, {"kind": "mcp_message"}])
async def test_a_request_that_is_none_is_dropped(wire: SdkTransport, cli: Cli, tools: Tools, broken: object) -> None:
    cli.on_message({"type": "control_request", "request_id": "r1", "request": broken})
    await settled()
    assert (tools.calls, cli.written, cli.terminated) == (0, [], 0)
