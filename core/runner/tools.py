"""The platform's own tools, served to the CLI from inside the runner: which they are is in the session's spec.

MCP as the CLI speaks it over its control protocol, one JSON-RPC message a request. `mcp` itself would cost every runner
a second and 30 MB for three methods (core.runner.sdk); the tests hold its models against this. The runner knows nothing
of a tool but its name and schema: the gateway checks each call and carries it out.
"""

import asyncio
import time
import uuid
from typing import Any

from core.domain.errors import NotFound, PlatformError, Unavailable
from core.protocol.gateway_api import ToolAnswer, ToolCall, ToolCheck, ToolSpec
from core.protocol.platform_tools import PREFIX, SERVER
from core.runner.gateway_client import AWAY_S, GatewayClient

Json = dict[str, Any]

NO_METHOD, BAD_PARAMS = -32601, -32602  # of JSON-RPC
LONGEST_S = 3600.0  # of one call
AGAIN_S = 1.0  # between two questions whether a call has been carried out
_VERSION = "2025-06-18"  # of MCP, for a client that names none


class Tools:
    """The MCP server `oma` of a session."""

    def __init__(self, gateway: GatewayClient, session: str, specs: tuple[ToolSpec, ...]) -> None:
        self._gateway, self._session = gateway, session
        self._specs = {spec.name: spec for spec in specs}

    async def answer(self, message: object) -> Json:
        """The answer to a JSON-RPC message; to a notification an empty one, which is not sent on."""
        asked = message if isinstance(message, dict) else {}
        given = asked.get("params")
        params = given if isinstance(given, dict) else {}
        match asked.get("method"):
            case "initialize":
                version = params.get("protocolVersion")
                about = {"capabilities": {"tools": {}}, "serverInfo": {"name": SERVER, "version": "1.0.0"}}
                return _result(asked, {"protocolVersion": version if isinstance(version, str) else _VERSION, **about})
            case "tools/list":
                return _result(asked, {"tools": [_listed(spec) for spec in self._specs.values()]})
            case "tools/call" if params.get("name") in self._specs:
                answer = await self._call(str(params["name"]), params.get("arguments"))
                content = [{"type": "text", "text": answer.text}]
                return _result(asked, {"content": content, "isError": answer.is_error})
            case "tools/call":
                return _error(asked, BAD_PARAMS, "There is no such tool.")
            case "ping":
                return _result(asked, {})
            case str(method) if method.startswith("notifications/"):
                return {"jsonrpc": "2.0", "result": {}}
        return _error(asked, NO_METHOD, "There is no such method.")

    async def check(self, tool: str, arguments: Json) -> ToolCheck:
        """Ask the gateway whether a person has to decide about this call. `tool` is the CLI's name of the tool."""
        spec = self._specs.get(tool.removeprefix(PREFIX))
        if spec is None or not spec.asks:
            return ToolCheck()
        try:
            return await self._gateway.check_tool(ToolCall(session=self._session, name=spec.name, arguments=arguments))
        except PlatformError as error:
            return ToolCheck(refusal=f"It was not done: {error}")

    async def _call(self, name: str, given: object) -> ToolAnswer:
        arguments = given if isinstance(given, dict) else {}
        call = ToolCall(session=self._session, name=name, call=str(uuid.uuid4()), arguments=arguments)
        try:
            answer = await self._gateway.call_tool(call)
            return await self._finished(call) if answer.unfinished else answer
        except PlatformError as error:
            return ToolAnswer(text=f"It was not done: {error}", is_error=True)

    async def _finished(self, call: ToolCall) -> ToolAnswer:
        """Ask until the call has been carried out; a gateway that is being replaced is waited for.

        Raises: Unavailable: it takes too long, or no gateway answers. NotFound: the session was deleted.
        """
        deadline = time.monotonic() + LONGEST_S
        heard = time.monotonic()
        while time.monotonic() < deadline:
            await asyncio.sleep(AGAIN_S)
            try:
                answer = await self._gateway.call_tool(call)
            except NotFound:
                raise
            except Unavailable:
                if time.monotonic() - heard > AWAY_S:
                    raise
                continue
            heard = time.monotonic()
            if not answer.unfinished:
                return answer
        raise Unavailable(f"it has not ended within {LONGEST_S:.0f} s")


def _listed(spec: ToolSpec) -> Json:
    return {"name": spec.name, "description": spec.description, "inputSchema": spec.input_schema}


def _result(asked: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


def _error(asked: Json, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "error": {"code": code, "message": message}}
