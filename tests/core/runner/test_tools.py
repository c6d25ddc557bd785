"""The platform's own tools as an MCP server: held against the models of `mcp`, which the runner does without."""

import subprocess
import sys
from typing import Any

import mcp_types
import pytest

from core.domain.errors import Unavailable
from core.protocol.platform_tools import DESCRIPTION_CHARS, NAME_CHARS
from core.runner.tools import BAD_PARAMS, NO_METHOD, Tools

Drafts = list[tuple[str, ...]]


class Gateway:
    """Takes drafts, or does not."""

    def __init__(self) -> None:
        self.drafts: Drafts = []
        self.away = False

    async def draft(self, *said: str) -> None:
        if self.away:
            raise Unavailable("the gateway is away")
        self.drafts.append(said)


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def tools(gateway: Gateway) -> Tools:
    return Tools(gateway, "s1")  # type: ignore[arg-type]  # what it needs of one


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


async def test_its_tool_is_described_and_sets_the_draft(tools: Tools, gateway: Gateway) -> None:
    listed = mcp_types.ListToolsResult.model_validate(await asked(tools, "tools/list"))
    assert [tool.name for tool in listed.tools] == ["draft_agent"]
    assert listed.tools[0].input_schema["required"] == ["name", "description"]
    words = {"name": " 날씨 \n 알림", "description": "비가 오면 알린다", "icon": "globe"}
    said = await asked(tools, "tools/call", {"name": "draft_agent", "arguments": words})
    assert not mcp_types.CallToolResult.model_validate(said).is_error
    assert gateway.drafts == [("s1", "날씨 알림", "비가 오면 알린다", "globe")]


async def test_a_text_that_does_not_fit_is_refused_and_not_cut_without_a_word(tools: Tools, gateway: Gateway) -> None:
    for name, limit in (("name", NAME_CHARS), ("description", DESCRIPTION_CHARS)):
        fits = {"name": "n", "description": "d"} | {name: "가" * limit}
        await asked(tools, "tools/call", {"name": "draft_agent", "arguments": fits})
        said = await asked(tools, "tools/call", {"name": "draft_agent", "arguments": fits | {name: "가" * (limit + 1)}})
        assert said["isError"] and f"{name} has {limit + 1} characters, at most {limit}" in said["content"][0]["text"]
    assert len(gateway.drafts) == 2


async def test_an_icon_that_there_is_not_is_said_to_the_model(tools: Tools, gateway: Gateway) -> None:
    words = {"name": "n", "description": "d", "icon": "cloud"}
    said = await asked(tools, "tools/call", {"name": "draft_agent", "arguments": words})
    assert not said["isError"] and "There is no icon 'cloud'" in said["content"][0]["text"]
    assert len(gateway.drafts) == 1, "the rest is saved"


@pytest.mark.parametrize("words", [None, [], {"name": "n"}, {"name": 1, "description": "d"}, {"description": "d"}])
async def test_what_is_missing_is_said_and_nothing_is_saved(tools: Tools, gateway: Gateway, words: object) -> None:
    said = await asked(tools, "tools/call", {"name": "draft_agent", "arguments": words})
    result = mcp_types.CallToolResult.model_validate(said)
    assert result.is_error
    assert not gateway.drafts


async def test_a_gateway_that_refuses_is_told_to_the_model(tools: Tools, gateway: Gateway) -> None:
    gateway.away = True
    said = await asked(tools, "tools/call", {"name": "draft_agent", "arguments": {"name": "n", "description": "d"}})
    assert said["isError"]
    assert "the gateway is away" in said["content"][0]["text"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("tools/call", {"name": "rm"}, BAD_PARAMS),
        ("tools/call", "draft_agent", BAD_PARAMS),
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
