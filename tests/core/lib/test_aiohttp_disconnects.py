"""Tests that a caller who leaves in the middle of an answer, or of its own request, causes no alarm in the log."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from core.lib.aiohttp_disconnects import Handler, ignore_disconnects
from tests.timeouts import PATIENCE_S

PIECE = bytes(1 << 16)


async def flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(PIECE)


async def listen(request: web.Request) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def stumble(_: web.Request) -> web.StreamResponse:
    raise ConnectionResetError("a database's connection, not the caller's")


@asynccontextmanager
async def served(answer: Handler) -> AsyncIterator[tuple[int, asyncio.Event, asyncio.Event]]:
    """A server with the middleware; its port, and when the answer has begun and ended."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def noted(request: web.Request) -> web.StreamResponse:
        begun.set()
        try:
            return await answer(request)
        finally:
            ended.set()

    app = web.Application(middlewares=[ignore_disconnects])
    app.router.add_route("*", "/", noted)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1], begun, ended
    finally:
        await runner.cleanup()


@pytest.fixture
def alarms(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO)
    return lambda: [entry.getMessage() for entry in caplog.records if entry.levelno > logging.INFO]


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (flood, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (listen, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"),
    ],
)
async def test_a_caller_that_leaves_is_no_alarm(answer: Handler, asked: bytes, alarms: Callable[[], list[str]]) -> None:
    async with served(answer) as (port, begun, ended):
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(asked)
            await asyncio.wait_for(begun.wait(), PATIENCE_S)
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
    assert alarms() == []


async def test_another_connection_that_breaks_is_still_an_error(alarms: Callable[[], list[str]]) -> None:
    async with served(stumble) as (port, _, _), aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 500
    assert any("Error handling request" in line for line in alarms())
