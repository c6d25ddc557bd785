"""The runner's WebSockets: each only sends, and ends when the other side has left."""

import asyncio
from collections.abc import Awaitable

from aiohttp import WSMsgType, web

from core.runner.journal import ReaderLagging, Watcher

HEARTBEAT_S = 20.0
WS_LAGGING = 4008


async def show(socket: web.WebSocketResponse, watcher: Watcher) -> None:
    try:
        async for frame in watcher.frames():
            await socket.send_frame(frame, WSMsgType.TEXT)
    except ReaderLagging:
        await socket.close(code=WS_LAGGING, message=b"lagging")


async def open_socket(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, compress=False, max_msg_size=1024)
    await socket.prepare(request)
    return socket


async def until_closed(socket: web.WebSocketResponse, work: Awaitable[None]) -> None:
    """Run `work` while the other side is connected. Nothing is expected from it except its leaving."""
    sending = asyncio.ensure_future(work)
    try:
        while (await socket.receive()).type not in (
            WSMsgType.CLOSE,
            WSMsgType.CLOSING,
            WSMsgType.CLOSED,
            WSMsgType.ERROR,
        ):
            pass
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
