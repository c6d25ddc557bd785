"""Routes that concern a runner as a whole: its health, its user, its state and its end."""

import asyncio
from functools import partial

import msgspec
from aiohttp import WSMsgType, web

from core.protocol import runner_api as api
from core.runner import export
from core.runner.routes.http import json_answer, json_body
from core.runner.runner import Runner, read_init
from core.runner.sockets import open_socket, until_closed


class ControlRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(api.HEALTH, self._health),
            web.post(api.INIT, self._init),
            web.get(api.STATUS, self._status),
            web.get(api.HOLD, self._hold),
            web.get(api.EXPORT, partial(export.send, root=self._runner.agents)),
            web.post(api.DISK_FULL, self._disk_full),
            web.post(api.STOP, self._stop),
        ]

    async def _health(self, _: web.Request) -> web.Response:
        return json_answer(api.Health(bound=self._runner.bound is not None, protocol=api.PROTOCOL))

    async def _init(self, request: web.Request) -> web.Response:
        self._runner.bind(init := read_init(await request.read()))
        return json_answer(api.Bound(marks=self._runner.sessions.marks_with(init.log_key)))

    async def _status(self, _: web.Request) -> web.Response:
        bound = self._runner.bound
        sessions = self._runner.sessions
        unused_s = round(self._runner.unused_s(sessions), 1)
        user = bound.user if bound else ""
        return json_answer(msgspec.structs.replace(sessions.status(), user=user, idle_s=unused_s))

    async def _disk_full(self, _: web.Request) -> web.Response:
        self._runner.sessions.end_working("disk_full")
        await self._runner.terminals.close()
        return json_answer(status=202)

    async def _stop(self, request: web.Request) -> web.Response:
        await self._runner.stop(idle_s=(await json_body(request, api.Stop)).idle_s if request.body_exists else 0.0)
        return json_answer()

    async def _hold(self, request: web.Request) -> web.WebSocketResponse:
        socket = await open_socket(request)
        sessions = self._runner.sessions
        dirty = dict.fromkeys(sessions.known)
        awake = asyncio.Event()
        awake.set()

        def changed(session: str) -> None:
            dirty[session] = None
            awake.set()

        async def tell() -> None:
            while True:
                await awake.wait()
                awake.clear()
                while dirty:
                    session = next(iter(dirty))
                    del dirty[session]
                    if session in sessions.known:
                        await socket.send_frame(msgspec.json.encode(sessions.change(session)), WSMsgType.TEXT)

        with sessions.changes(changed):
            await until_closed(socket, tell())
        return socket
