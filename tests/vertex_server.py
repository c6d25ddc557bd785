"""Claude on Vertex AI on loopback: Google's addresses, words and refusals before the model of tests/model_server.

`knows` are the betas it accepts, as Vertex does: one it does not know and the whole message is refused.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.metadata_server import MetadataServer
from tests.model_server import ModelServer

ROOT = "/v1/projects/{project}/locations/{region}/publishers/anthropic/models"
MODEL = re.compile(r"claude-[a-z0-9-]+?(@\d{8})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call as it came."""

    path: str
    query: str
    headers: dict[str, str]
    body: dict[str, Any]


class VertexServer:
    """`url` is for ANTHROPIC_VERTEX_BASE_URL. `refuse`: statuses to answer with instead, one a call."""

    def __init__(self, model: ModelServer, identity: MetadataServer, *, knows: frozenset[str] | None = None) -> None:
        self.asked: list[Asked] = []
        self.refuse: list[int] = []
        self.url = ""
        self._model, self._identity, self._knows = model, identity, knows
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post(ROOT + "/{model}:{verb}", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append(Asked(path=request.path, query=request.query_string, headers=headers, body=body))
        if self.refuse:
            return google_says(self.refuse.pop(0), f"scripted; you said {headers['authorization']}")
        if headers.get("authorization") != f"Bearer {self._identity.token}":
            return google_says(401, "Request had invalid authentication credentials.")
        return self._wrong(request, body, headers) or await self._passed(request, body)

    def _wrong(self, request: web.Request, body: dict[str, Any], headers: dict[str, str]) -> web.Response | None:
        counts = request.match_info["model"] == "count-tokens"
        betas = {word for word in headers.get("anthropic-beta", "").split(",") if word}
        strange = sorted(betas - self._knows) if self._knows is not None else []
        if strange or (counts and betas):
            words = ", ".join(f"`{beta}`" for beta in strange or sorted(betas))
            return api_says(400, f"Unexpected value(s) {words} for the `anthropic-beta` header. Please consult …")
        if body.get("anthropic_version") != "vertex-2023-10-16":
            return api_says(400, "anthropic_version: Field required")
        if counts != ("model" in body):
            return api_says(400, "model: Extra inputs are not permitted")
        if not MODEL.fullmatch(body["model"] if counts else request.match_info["model"]):
            return google_says(404, f"Publisher Model `{request.path}` was not found")
        if (request.match_info["verb"] == "streamRawPredict") != bool(body.get("stream")):
            return google_says(400, "the verb and `stream` do not fit")
        return None

    async def _passed(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        counts = request.match_info["model"] == "count-tokens"
        path = "/v1/messages/count_tokens" if counts else "/v1/messages"
        body = {"model": request.match_info["model"], **body}
        del body["anthropic_version"]
        async with aiohttp.ClientSession() as http, http.post(self._model.url + path, json=body) as answer:
            response = web.StreamResponse(
                status=answer.status, headers={"content-type": answer.headers["content-type"]}
            )
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response


def google_says(status: int, message: str) -> web.Response:
    """Answer an error as Google's own front does."""
    error = {"code": status, "message": message, "status": "SCRIPTED"}
    return web.json_response([{"error": error}], status=status)


def api_says(status: int, message: str) -> web.Response:
    """Answer an error as the model behind it does."""
    said = {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_vrtx_1"}
    return web.Response(text=json.dumps(said), status=status, content_type="application/json")
