"""Bytes of the model go through as they come, and every way of it to fail ends in something a person can read."""

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from core.config.settings import Secret
from core.domain.records import UserId
from core.gateway.providers import Call
from core.gateway.providers.anthropic import Anthropic
from core.gateway.providers.passthrough import PassthroughProvider
from tests.core.gateway.gateway_harness import until
from tests.timeouts import PATIENCE_S

KEY = "sk-real-key"
Model = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Model) -> AsyncIterator[str]:
    """A server on loopback that answers everything so; its URL."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def passed_through(base_url: str, *, stall_s: float = 30.0) -> AsyncIterator[str]:
    """Start a server in front of the provider; return the server's URL."""
    provider = PassthroughProvider(Anthropic(key=Secret(KEY), base_url=base_url), stall_s=stall_s)

    async def answer(request: web.Request) -> web.StreamResponse:
        call = Call(
            user=UserId("u"),
            agent="a",
            session="s",
            path=request.path,
            query=request.query_string,
            headers=request.headers,
            body=await request.read(),
        )
        return await provider.answer(call, request)

    async with served(answer) as url:
        yield url
    await provider.close()


@asynccontextmanager
async def asking(url: str, body: object = None, **headers: str) -> AsyncIterator[aiohttp.ClientResponse]:
    data = io.BytesIO(msgspec.json.encode(body if body is not None else {"stream": True}))
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(f"{url}/v1/messages?beta=true", data=data, headers=headers) as answer,
    ):
        yield answer


async def stream(request: web.Request, *pieces: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "request-id": "req_1"})
    await response.prepare(request)
    for piece in pieces:
        await response.write(piece)
    return response


async def test_the_key_is_ours_and_the_message_is_theirs() -> None:
    seen: list[web.Request] = []

    async def model(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"got": await request.json()}, headers={"request-id": "req_1", "set-cookie": "a=b"})

    headers = {
        "x-api-key": "box token",
        "Authorization": "Bearer box token",
        "anthropic-beta": "one,two",
        "anthropic-version": "2023-06-01",
        "Accept-Encoding": "gzip, br, zstd",
        "Cookie": "secret=1",
    }
    async with (
        served(model) as upstream,
        passed_through(upstream) as url,
        asking(url, {"a": "가"}, **headers) as answer,
    ):
        assert await answer.json() == {"got": {"a": "가"}}
        assert answer.headers["request-id"] == "req_1"
        assert "set-cookie" not in answer.headers
    [request] = seen
    assert request.path_qs == "/v1/messages?beta=true"
    assert request.headers["x-api-key"] == KEY
    assert request.headers["anthropic-beta"] == "one,two"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["accept-encoding"] == "identity"
    assert "box token" not in str(request.headers) and "secret=1" not in str(request.headers)
    assert request.headers["host"] in upstream


async def test_every_piece_goes_on_before_the_next_one_comes() -> None:
    go_on = asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        response = await stream(request, b"event: a\ndata: 1\n\n")
        await go_on.wait()
        await response.write(b"event: b\ndata: 2\n\n")
        return response

    async with served(model) as upstream, passed_through(upstream) as url, asking(url) as answer:
        assert await answer.content.readany() == b"event: a\ndata: 1\n\n"
        go_on.set()
        assert await answer.content.read() == b"event: b\ndata: 2\n\n"


async def test_a_large_question_and_a_large_answer_arrive_byte_for_byte() -> None:
    big = bytes(range(256)) * 20_000

    async def model(request: web.Request) -> web.StreamResponse:
        return await stream(request, *[await request.read()] * 2)

    async with served(model) as upstream, passed_through(upstream) as url:
        async with asking(url, big.hex()) as answer:
            sent = msgspec.json.encode(big.hex())
            assert await answer.read() == sent * 2


@pytest.mark.parametrize("status", [400, 404, 413, 429, 500, 529])
async def test_the_models_own_errors_go_through_as_they_are(status: int) -> None:
    async def model(_: web.Request) -> web.Response:
        return web.json_response({"type": "error", "error": {"type": "x"}}, status=status, headers={"retry-after": "7"})

    async with served(model) as upstream, passed_through(upstream) as url, asking(url) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (status, "7")
        assert (await answer.json())["error"] == {"type": "x"}


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_said_at_once_in_a_way_the_cli_does_not_repeat(status: int) -> None:
    async def model(_: web.Request) -> web.Response:
        return web.json_response({"error": f"bad key {KEY}"}, status=status)

    async with served(model) as upstream, passed_through(upstream) as url, asking(url) as answer:
        error = (await answer.json())["error"]
        assert answer.status == 400
        assert error["type"] == "invalid_request_error"
        assert error["message"].startswith("model_key_refused:")
        assert KEY not in error["message"]


async def test_a_model_that_cannot_be_reached_is_overloaded_for_the_cli() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with passed_through(f"http://127.0.0.1:{port}") as url, asking(url) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["type"]) == (529, "overloaded_error")
            assert error["message"].startswith("model_overloaded:")


async def test_a_model_that_does_not_begin_is_given_up() -> None:
    async def model(_: web.Request) -> web.Response:
        await asyncio.sleep(PATIENCE_S)
        raise AssertionError("nobody hung up")

    async with served(model) as upstream, passed_through(upstream, stall_s=0.2) as url, asking(url) as answer:
        assert answer.status == 529


async def test_a_model_that_falls_silent_ends_in_an_error_that_is_an_event() -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        response = await stream(request, b"event: a\ndata: 1\n\n", b"event: cut in the mid")
        await asyncio.sleep(PATIENCE_S)
        return response

    async with served(model) as upstream, passed_through(upstream, stall_s=0.2) as url, asking(url) as answer:
        text = (await answer.read()).decode()
    last = text.rstrip().split("\n\n")[-1]
    assert last.startswith("event: error\ndata: ")
    assert msgspec.json.decode(last.partition("data: ")[2])["error"]["type"] == "overloaded_error"


async def test_a_slow_model_that_still_speaks_is_left_alone() -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        for _ in range(6):
            await asyncio.sleep(0.5)
            await response.write(b": ping\n\n")
        return response

    async with served(model) as upstream, passed_through(upstream, stall_s=2.5) as url, asking(url) as answer:
        assert await answer.read() == b": ping\n\n" * 6


async def test_an_answer_that_breaks_off_upstream_breaks_off_here() -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        response = await stream(request, b"event: a\ndata: 1\n\n")
        await asyncio.sleep(0.05)
        assert request.transport
        request.transport.abort()
        return response

    async with served(model) as upstream, passed_through(upstream) as url:
        with pytest.raises(aiohttp.ClientError):
            async with asking(url) as answer:
                await answer.read()


async def test_who_hangs_up_ends_the_call_upstream() -> None:
    ended = asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        try:
            response = await stream(request, b"event: a\ndata: 1\n\n")
            await asyncio.sleep(PATIENCE_S)
            return response
        finally:
            ended.set()

    async with served(model) as upstream, passed_through(upstream) as url:
        async with asking(url) as answer:
            await answer.content.readany()
        await until(ended.is_set)


async def test_a_connection_that_dies_as_it_is_used_is_replaced_without_a_word() -> None:
    asked = 0

    async def model(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert request.transport
            request.transport.abort()
        return web.json_response({})

    async with served(model) as upstream, passed_through(upstream) as url:
        for _ in range(2):
            async with asking(url) as answer:
                assert answer.status == 200
    assert asked == 3


async def test_connections_upstream_are_kept_and_a_dead_one_is_replaced() -> None:
    ports: list[object] = []

    async def model(request: web.Request) -> web.Response:
        assert request.transport
        ports.append(request.transport.get_extra_info("peername")[1])
        if len(ports) == 2:
            asyncio.get_running_loop().call_later(0.05, request.transport.abort)
        return web.json_response({})

    async with served(model) as upstream, passed_through(upstream) as url:
        for _ in range(3):
            async with asking(url) as answer:
                assert answer.status == 200
            await asyncio.sleep(0.1)
    assert ports[0] == ports[1] != ports[2]


async def test_redirects_are_not_followed_with_the_key() -> None:
    async def model(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"location": "http://127.0.0.1:1/steal"})

    async with served(model) as upstream, passed_through(upstream) as url:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(timeout=timeout) as http:
            async with http.post(f"{url}/v1/messages", data=b"{}", allow_redirects=False) as answer:
                assert answer.status == 307
