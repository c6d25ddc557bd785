"""The platform's own tools, served to the CLI from inside the runner: so far the builder's `draft_agent`.

MCP as the CLI speaks it over its control protocol, one JSON-RPC message a request. `mcp` itself would cost every runner
a second and 30 MB for one tool that takes three strings (core.runner.sdk); the tests hold its models against this.
"""

from typing import Any

from core.domain.errors import PlatformError
from core.runner.gateway_client import GatewayClient

Json = dict[str, Any]

NAME_CHARS, DESCRIPTION_CHARS, ICON_CHARS = 80, 400, 40
NO_METHOD, BAD_PARAMS = -32601, -32602  # of JSON-RPC
_VERSION = "2025-06-18"  # of MCP, for a client that names none
_TEXT = {"type": "string"}
_DRAFT_AGENT = {
    "name": "draft_agent",
    "description": "Set the name, description and icon (one English word) of the agent being built.",
    "inputSchema": {
        "type": "object",
        "properties": {"name": _TEXT, "description": _TEXT, "icon": _TEXT},
        "required": ["name", "description"],
    },
}


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
                about = {"capabilities": {"tools": {}}, "serverInfo": {"name": "oma", "version": "1.0.0"}}
                return _result(asked, {"protocolVersion": version if isinstance(version, str) else _VERSION, **about})
            case "tools/list":
                return _result(asked, {"tools": [_DRAFT_AGENT]})
            case "tools/call" if params.get("name") == _DRAFT_AGENT["name"]:
                return _result(asked, await self._draft_agent(params.get("arguments")))
            case "tools/call":
                return _error(asked, BAD_PARAMS, "There is no such tool.")
            case "ping":
                return _result(asked, {})
            case str(method) if method.startswith("notifications/"):
                return {"jsonrpc": "2.0", "result": {}}
        return _error(asked, NO_METHOD, "There is no such method.")

    async def _draft_agent(self, said: object) -> Json:
        words = said if isinstance(said, dict) else {}
        for key in ("name", "description"):
            if not isinstance(words.get(key), str):
                return _told(f"It was not saved: {key} has to be a text.", is_error=True)
        name, description, icon = (str(words.get(key, "")).strip() for key in ("name", "description", "icon"))
        try:
            await self._gateway.draft(
                self._session, name[:NAME_CHARS], description[:DESCRIPTION_CHARS], icon[:ICON_CHARS]
            )
        except PlatformError as error:
            return _told(f"It was not saved: {error}", is_error=True)
        return _told("Saved. The user sees it at the head of this conversation.")


def _told(text: str, *, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": text}], "isError": is_error}


def _result(asked: Json, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


def _error(asked: Json, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": asked.get("id"), "error": {"code": code, "message": message}}
