"""A scripted Messages API on loopback; tests/model_script.py says what it answers, and why.

    async with ModelServer() as model:        # in the test's own loop: model.url, model.asked, await model.until(…)
    python -m tests.model_server [PORT]       # as a process; prints its URL, GET /_log gives what was asked

One server serves any number of sessions at once. The only thing it counts is how often the identical request came: same
session, same last user text, same number of messages and of tool results. The CLI's side requests (HEAD, count_tokens,
session titles: whatever has no tools and asks for JSON or a single token) get plain answers and are marked `side`.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, fields
from typing import Self

from aiohttp import web

from tests.model_script import Json, Script, deltas, empty, end, read, script

ERRORS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 529: "overloaded_error"}
SETTLE_S = 0.05  # before a stream is cut, so that the client has read what came before
STAMPS = 1000  # so many deltas of a message are timed
BOUND_S = 600.0  # a hanging answer ends after this, whatever the client does


@dataclass(slots=True, kw_only=True)
class Asked:
    """A request as it came, and when (CLOCK_MONOTONIC, the same in all processes of the machine)."""

    at: float
    path: str
    body: Json
    key: str = ""
    session: str = ""
    prompt: str = ""
    attempt: int = 0
    side: bool = False
    first_byte_at: float = 0.0
    deltas_at: list[float] = field(default_factory=list)
    done_at: float = 0.0


class ModelServer:
    """The server and everything it was asked, in order of arrival."""

    def __init__(self, port: int = 0) -> None:
        self._port = port
        self.asked: list[Asked] = []
        self._answers: list[Script] = []
        self._came = asyncio.Condition()
        self._seen: dict[str, int] = {}
        app = web.Application(client_max_size=64 << 20)
        app.router.add_get("/_log", self._log)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count)
        app.router.add_route("*", "/{rest:.*}", self._other)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address for ANTHROPIC_BASE_URL."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def turns(self) -> list[Asked]:
        """The requests without the CLI's side requests."""
        return [asked for asked in self.asked if not asked.side]

    async def until(self, wanted: Callable[[Asked], bool], *, timeout: float = 10.0) -> Asked:
        """The first request that is `wanted`, waiting for it if need be. Raises: TimeoutError."""
        async with asyncio.timeout(timeout), self._came:
            while True:
                for asked in self.asked:
                    if wanted(asked):
                        return asked
                await self._came.wait()

    def hurry(self) -> None:
        """Send slow answers fast from now on: the test has seen what it needed in the middle of an answer."""
        for answer in self._answers:
            answer.gap_s = min(answer.gap_s, 0.01)

    async def _note(self, asked: Asked) -> None:
        async with self._came:
            self.asked.append(asked)
            self._came.notify_all()

    async def _log(self, request: web.Request) -> web.Response:
        """`?last=n`: only the newest n; bodies only with `?bodies=1`."""
        found = self.asked[-int(request.query.get("last", 0)) :]
        names = [one.name for one in fields(Asked) if one.name != "body" or "bodies" in request.query]
        return web.json_response([{name: getattr(asked, name) for name in names} for asked in found])

    async def _other(self, request: web.Request) -> web.Response:
        await self._note(Asked(at=time.monotonic(), path=f"{request.method} {request.path}", body={}, side=True))
        return web.json_response({})

    async def _count(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self._note(Asked(at=time.monotonic(), path=request.path, body=body, side=True))
        return web.json_response({"input_tokens": len(json.dumps(body)) // 4})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        at, body = time.monotonic(), await request.json()
        asked = Asked(at=at, path=request.path, body=body, key=request.headers.get("x-api-key", ""))
        asked.prompt, results = read(body["messages"])
        asked.session = session_of(body)
        asked.side = not body.get("tools") and (
            body.get("max_tokens") == 1 or "json" in json.dumps(body.get("output_config", ""))
        )
        identity = json.dumps([asked.session, asked.prompt, len(body["messages"]), len(results)])
        asked.attempt = self._seen.get(identity, 0)
        self._seen[identity] = asked.attempt + 1
        await self._note(asked)
        answer = (
            Script(blocks=[{"type": "text", "text": '{"title": "A title"}'}])
            if asked.side
            else script(body, asked.attempt)
        )
        self._answers.append(answer)
        try:
            return await self._answer(request, asked, answer)
        except (ConnectionError, asyncio.CancelledError):
            asked.done_at = time.monotonic()
            raise

    async def _answer(self, request: web.Request, asked: Asked, answer: Script) -> web.StreamResponse:
        if answer.fault == "HANG":
            await asyncio.sleep(BOUND_S)
        if answer.fault.isdigit():
            status = int(answer.fault)
            error = {"type": ERRORS.get(status, "api_error"), "message": f"scripted {status}"}
            asked.first_byte_at = asked.done_at = time.monotonic()
            return web.json_response({"type": "error", "error": error}, status=status)
        await asyncio.sleep(answer.slow_s)
        if asked.body.get("stream"):
            return await self._stream(request, asked, answer)
        asked.first_byte_at = asked.done_at = time.monotonic()
        return web.json_response({**head(asked), "content": answer.blocks, **end(answer.blocks)})

    async def _stream(self, request: web.Request, asked: Asked, answer: Script) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
        await response.prepare(request)
        asked.first_byte_at, sent = time.monotonic(), 0
        async for event in events(asked, answer):
            if event["type"] == "content_block_delta":
                if answer.fault and sent == answer.after:
                    await self._break_off(request, response, answer.fault)
                    break
                if sent < STAMPS:
                    asked.deltas_at.append(time.monotonic())
                sent += 1
            await response.write(sse(event))
        asked.done_at = time.monotonic()
        return response

    async def _break_off(self, request: web.Request, response: web.StreamResponse, fault: str) -> None:
        if fault == "STALL":
            await asyncio.sleep(BOUND_S)
        await asyncio.sleep(SETTLE_S)
        if fault == "CUT" and request.transport:
            request.transport.close()
        else:
            error = {"type": "overloaded_error", "message": "scripted, in mid-stream"}
            await response.write(sse({"type": "error", "error": error}))


def sse(event: Json) -> bytes:
    """Return a server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def session_of(body: Json) -> str:
    """The CLI's session id, from the request's metadata."""
    text = str(body.get("metadata", {}).get("user_id", ""))
    found = re.findall(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", text)
    return found[-1] if found else ""


def head(asked: Asked) -> Json:
    """The message before it says anything."""
    usage = {
        "input_tokens": len(json.dumps(asked.body)) // 4,
        "output_tokens": 1,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    kind = {
        "id": f"msg_{time.monotonic_ns()}",
        "type": "message",
        "role": "assistant",
        "model": asked.body.get("model"),
    }
    return {**kind, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}


async def events(asked: Asked, answer: Script) -> AsyncIterator[Json]:
    """The whole message as the API streams it."""
    yield {"type": "message_start", "message": head(asked)}
    count = 0
    for index, block in enumerate(answer.blocks):
        yield {"type": "content_block_start", "index": index, "content_block": empty(block)}
        for delta in deltas(block, answer.chars):
            if count and answer.gap_s:
                await asyncio.sleep(answer.gap_s)
            yield {"type": "content_block_delta", "index": index, "delta": delta}
            count += 1
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": end(answer.blocks), "usage": {"output_tokens": count}}
    yield {"type": "message_stop"}


async def serve(port: int) -> None:
    """Run as a process of its own until it is ended."""
    async with ModelServer(port) as model:
        print(model.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
