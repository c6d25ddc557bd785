"""The platform's own tools, served to the CLI from inside the runner: so far the builder's `draft_agent`.

MCP as the CLI speaks it over its control protocol, one JSON-RPC message a request. `mcp` itself would cost every runner
a second and 30 MB for one tool that takes three strings (core.runner.sdk); the tests hold its models against this.
"""

from typing import Any

from core.domain.errors import PlatformError
from core.protocol.platform_tools import (
    DESCRIPTION_CHARS,
    DRAFT_AGENT,
    ICONS,
    NAME_CHARS,
    SERVER,
    draft_agent_schema,
)
from core.runner.gateway_client import GatewayClient

Json = dict[str, Any]

LIMITS = {"name": NAME_CHARS, "description": DESCRIPTION_CHARS}
NO_METHOD, BAD_PARAMS = -32601, -32602  # of JSON-RPC
_VERSION = "2025-06-18"  # of MCP, for a client that names none


class Tools:
    """The MCP server `oma` of a builder session."""

    def __init__(self, gateway: GatewayClient, session: str) -> None:
        self._gateway, self._session = gateway, session

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
                return _result(asked, {"tools": [draft_agent_schema()]})
            case "tools/call" if params.get("name") == DRAFT_AGENT:
                return _result(asked, await self._draft_agent(params.get("arguments")))
            case "tools/call":
                return _error(asked, BAD_PARAMS, "There is no such tool.")
            case "ping":
                return _result(asked, {})
            case str(method) if method.startswith("notifications/"):
                return {"jsonrpc": "2.0", "result": {}}
        return _error(asked, NO_METHOD, "There is no such method.")

    async def _draft_agent(self, given: object) -> Json:
        fields = given if isinstance(given, dict) else {}
        texts = {name: " ".join(text.split()) for name, text in fields.items() if isinstance(text, str)}
        for name, limit in LIMITS.items():
            if name not in texts:
                return _text(f"It was not saved: {name} has to be a text.", is_error=True)
            if (size := len(texts[name])) > limit:
                return _text(f"It was not saved: {name} has {size} characters, at most {limit} fit.", is_error=True)
        icon = texts.get("icon", "")
        try:
            await self._gateway.draft(self._session, texts["name"], texts["description"], icon)
        except PlatformError as error:
            return _text(f"It was not saved: {error}", is_error=True)
        unknown = (
            f" There is no icon {icon[:40]!r}: choose from {', '.join(ICONS)}." if icon not in ("", *ICONS) else ""
        )
        return _text(f"Saved. The user sees it at the head of this conversation.{unknown}")


def _text(text: str, *, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _result(asked: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


def _error(asked: Json, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "error": {"code": code, "message": message}}
