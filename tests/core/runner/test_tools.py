"""The platform's own tools as an MCP server: held against the models of `mcp`, which the runner does without."""

import subprocess
import sys
from typing import Any

import mcp_types
import pytest

from core.domain.errors import Unavailable
from core.protocol.gateway_api import ToolAnswer, ToolCall, ToolCheck, ToolSpec
from core.runner import tools as runner_tools
from core.runner.tools import BAD_PARAMS, NO_METHOD, Tools

SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
SPECS = (
    ToolSpec(name="free", description="Does it.", input_schema=SCHEMA),
    ToolSpec(name="asking", description="Asks.", input_schema=SCHEMA, asks=True),
)


class Gateway:
    """Carries calls out, or is away. The first answers are those in `before`."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []
        self.before: list[ToolAnswer | Unavailable] = []
        self.away = False

    async def call_tool(self, call: ToolCall) -> ToolAnswer:
        self.calls.append(call)
        if self.away:
            raise Unavailable("the gateway is away")
        if self.before:
            answer = self.before.pop(0)
            if isinstance(answer, Unavailable):
                raise answer
            return answer
        return ToolAnswer(text=f"{call.name} is done")

    async def check_tool(self, call: ToolCall) -> ToolCheck:
        if self.away:
            raise Unavailable("the gateway is away")
        return ToolCheck(ask=True)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def tools(gateway: Gateway) -> Tools:
    return Tools(gateway, "s1", SPECS)  # type: ignore[arg-type]  # what it needs of one


async def asked(tools: Tools, method: str, params: object = None) -> Any:
    answer = await tools.answer({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    mcp_types.JSONRPCResponse.model_validate(answer)
    assert answer["id"] == 7
    return answer["result"]


async def test_it_greets_in_the_clients_version(tools: Tools) -> None:
    for version, spoken in (("2025-11-25", "2025-11-25"), (None, "2025-06-18"), (["?"], "2025-06-18")):
        said = await asked(tools, "initialize", {"protocolVersion": version})
        greeting = mcp_types.InitializeResult.model_validate(said)
        assert greeting.protocol_version == spoken
        assert greeting.capabilities.tools is not None
    assert await asked(tools, "ping") == {}


async def test_its_tools_are_those_of_the_spec_and_calls_go_to_the_gateway(tools: Tools, gateway: Gateway) -> None:
    listed = mcp_types.ListToolsResult.model_validate(await asked(tools, "tools/list"))
    assert [(tool.name, tool.description, tool.input_schema) for tool in listed.tools] == [
        ("free", "Does it.", SCHEMA),
        ("asking", "Asks.", SCHEMA),
    ]
    said = await asked(tools, "tools/call", {"name": "free", "arguments": {"name": "n"}})
    assert said == {"content": [{"type": "text", "text": "free is done"}], "isError": False}
    mcp_types.CallToolResult.model_validate(said)
    (call,) = gateway.calls
    assert (call.session, call.name, call.arguments) == ("s1", "free", {"name": "n"}) and call.call


@pytest.mark.parametrize("given", [None, [], "x"])
async def test_arguments_that_are_none_are_for_the_gateway_to_refuse(
    tools: Tools, gateway: Gateway, given: object
) -> None:
    await asked(tools, "tools/call", {"name": "free", "arguments": given})
    assert gateway.calls[0].arguments == {}


async def test_a_long_call_is_asked_about_with_the_same_id_until_it_has_ended(
    tools: Tools, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_tools, "AGAIN_S", 0.0)
    gateway.before = [ToolAnswer(unfinished=True), Unavailable("it is being replaced"), ToolAnswer(unfinished=True)]
    said = await asked(tools, "tools/call", {"name": "free", "arguments": {}})
    assert said["content"][0]["text"] == "free is done" and not said["isError"]
    assert len(gateway.calls) == 4 and len({call.call for call in gateway.calls}) == 1


async def test_a_long_call_has_an_end_and_so_has_the_wait_for_a_gateway(
    tools: Tools, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_tools, "AGAIN_S", 0.0)
    monkeypatch.setattr(runner_tools, "LONGEST_S", 0.0)
    gateway.before = [ToolAnswer(unfinished=True)]
    assert (await asked(tools, "tools/call", {"name": "free", "arguments": {}}))["isError"]
    monkeypatch.setattr(runner_tools, "LONGEST_S", 60.0)
    monkeypatch.setattr(runner_tools, "AWAY_S", 0.0)
    gateway.before = [ToolAnswer(unfinished=True), Unavailable("away"), Unavailable("away")]
    said = await asked(tools, "tools/call", {"name": "free", "arguments": {}})
    assert said["isError"] and "away" in said["content"][0]["text"]


async def test_a_gateway_that_refuses_is_told_to_the_model(tools: Tools, gateway: Gateway) -> None:
    gateway.away = True
    said = await asked(tools, "tools/call", {"name": "free", "arguments": {"name": "n"}})
    assert said["isError"]
    assert "the gateway is away" in said["content"][0]["text"]
    assert "the gateway is away" in (await tools.check("mcp__oma__asking", {})).refusal, "nobody is asked for nothing"


async def test_only_a_tool_that_asks_is_checked_before_its_call(tools: Tools, gateway: Gateway) -> None:
    assert await tools.check("mcp__oma__asking", {}) == ToolCheck(ask=True)
    gateway.away = True
    assert await tools.check("mcp__oma__free", {}) == ToolCheck()


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "rm"}, BAD_PARAMS),
        ("tools/call", "free", BAD_PARAMS),
        ("resources/list", {}, NO_METHOD),
        (None, {}, NO_METHOD),
        (["tools/list"], {}, NO_METHOD),
    ],
)
async def test_what_it_does_not_know_is_an_error(tools: Tools, method: object, params: object, code: int) -> None:
    answer = await tools.answer({"jsonrpc": "2.0", "id": "a", "method": method, "params": params})
    assert mcp_types.JSONRPCError.model_validate(answer).error.code == code


async def test_notifications_and_what_is_no_message_at_all(tools: Tools) -> None:
    assert await tools.answer({"jsonrpc": "2.0", "method": "notifications/initialized"}) == {
        "jsonrpc": "2.0",
        "result": {},
    }
    for nothing in (None, "x", [1]):
        assert (await tools.answer(nothing))["error"]["code"] == NO_METHOD


def test_a_runner_loads_the_sdk_without_what_it_does_not_need_and_others_still_can() -> None:
    program = (
        "import sys, core.runner.cli_client\n"
        "assert not {'mcp', 'mcp_types', 'pydantic', 'jsonschema'} & set(sys.modules), sorted(sys.modules)\n"
        "import mcp.types, jsonschema\n"
        "assert mcp.types.Tool.model_fields and jsonschema.validate\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
