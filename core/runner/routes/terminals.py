"""Routes that concern the terminals of a session."""

import asyncio
from typing import TYPE_CHECKING

import msgspec
from aiohttp import WSMsgType, web

from core.domain.errors import BadInput, TooMuch
from core.protocol import terminal_api as api
from core.runner.routes.http import json_answer, json_body, path_id
from core.runner.runner import Runner
from core.runner.sockets import HEARTBEAT_S
from core.runner.terminals.size import Size

if TYPE_CHECKING:
    from core.runner.terminals.terminal import Terminal, Viewer

FRAME_BYTES = 6 * api.INPUT_CHARS + 1024  # a character is at most six bytes of JSON
WS_TOO_MUCH = 4009


class TerminalRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(api.TERMINALS, self._list),
            web.post(api.TERMINAL, self._open),
            web.get(api.TERMINAL, self._attach),
            web.delete(api.TERMINAL, self._end),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        session = self._runner.sessions.get(path_id(request, "session"))
        return json_answer(api.TerminalList(numbers=tuple(self._runner.terminals.numbers(session.id))))

    async def _end(self, request: web.Request) -> web.Response:
        await self._runner.terminals.end(path_id(request, "session"), _number(request))
        return json_answer()

    async def _open(self, request: web.Request) -> web.Response:
        session = self._runner.sessions.get(path_id(request, "session"))
        body = await json_body(request, api.TerminalSize)
        number, terminals = _number(request), self._runner.terminals
        started = number not in terminals.numbers(session.id)
        agent = session.journal.projection.agent
        await terminals.open(session.id, agent, number, _size(body.columns, body.rows))
        return json_answer(api.TerminalOpened(started=started))

    async def _attach(self, request: web.Request) -> web.WebSocketResponse:
        terminal = self._runner.terminals.get(path_id(request, "session"), _number(request))
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, compress=False, max_msg_size=FRAME_BYTES)
        with terminal.viewed() as viewer:
            await socket.prepare(request)
            sending = asyncio.ensure_future(_show(socket, terminal, viewer))
            try:
                await _type(socket, terminal)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        return socket


async def _show(socket: web.WebSocketResponse, terminal: "Terminal", viewer: "Viewer") -> None:
    """Send what the terminal shows until its shell has ended."""
    while True:
        await viewer.news.wait()
        viewer.news.clear()
        if viewer.lagging:
            screen = await terminal.screen(viewer)
            columns, rows = terminal.size
            frame = api.TerminalOutput(screen=screen, columns=columns, rows=rows)
            await socket.send_frame(msgspec.json.encode(frame), WSMsgType.TEXT)
        elif text := viewer.take():
            await socket.send_frame(msgspec.json.encode(api.TerminalOutput(text=text)), WSMsgType.TEXT)
        if terminal.ended.is_set():
            await socket.send_frame(msgspec.json.encode(api.TerminalOutput(ended=True)), WSMsgType.TEXT)
            await socket.close()
            return


async def _type(socket: web.WebSocketResponse, terminal: "Terminal") -> None:
    """Carry out what the viewer sends until it leaves; a viewer that sends anything else is sent away."""
    async for message in socket:
        if message.type is not WSMsgType.TEXT:
            continue
        try:
            given = msgspec.json.decode(message.data, type=api.TerminalInput)
            if given.columns:
                terminal.resize(_size(given.columns, given.rows))
            terminal.write(given.text.encode(errors="replace"))
        except (msgspec.DecodeError, BadInput, TooMuch) as error:
            await socket.close(code=WS_TOO_MUCH, message=str(error).encode()[:100])
            return


def _number(request: web.Request) -> int:
    text = request.match_info["number"]
    if not (text.isascii() and text.isdigit() and len(text) < 3 and int(text) in api.NUMBERS):
        raise BadInput("there is no terminal of this number")
    return int(text)


def _size(columns: int, rows: int) -> Size:
    if columns not in api.COLUMNS or rows not in api.ROWS:
        raise BadInput("no terminal has this size")
    return Size(columns, rows)
