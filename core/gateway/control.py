"""The control API on gateway.sock: a web registers boxes and shows that it is alive."""

import asyncio
import re

import msgspec
from aiohttp import WSMsgType, web

from core.config.runtime_dir import Process
from core.domain.errors import BadInput
from core.domain.records import UserId
from core.gateway.http_errors import errors, read_body
from core.gateway.unix_listeners import UnixListeners
from core.lib.aiohttp_disconnects import ignore_disconnects
from core.protocol import gateway_api as api

BODY_BYTES = 64 * 1024
HEARTBEAT_S = 20.0
BOX_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # it becomes a directory


class Control:
    """The routes of gateway.sock. `holders` is the number of webs that keep this gateway alive."""

    def __init__(self, *, listeners: UnixListeners, stop: asyncio.Event, digest: str) -> None:
        self._listeners, self._stop, self._digest = listeners, stop, digest
        self._held: set[web.WebSocketResponse] = set()

    @property
    def holders(self) -> int:
        return len(self._held)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[ignore_disconnects, errors])
        app.add_routes(
            [
                web.get(api.HEALTH, self.health),
                web.put(api.BOX, self.put_box),
                web.delete(api.BOX, self.delete_box),
                web.get(api.HOLD, self.hold),
                web.post(api.STOP, self.end),
            ]
        )
        app.on_shutdown.append(self._let_go)
        return app

    async def health(self, _: web.Request) -> web.Response:
        health = api.GatewayHealth(boxes=len(self._listeners), digest=self._digest)
        return web.Response(body=msgspec.json.encode(health), content_type="application/json")

    async def put_box(self, request: web.Request) -> web.Response:
        try:
            box = msgspec.json.decode(await read_body(request, limit_bytes=BODY_BYTES), type=api.RegisterBox)
        except msgspec.DecodeError as error:
            raise BadInput(f"not a box: {error}") from error
        process = Process(pid=box.pid, start=box.start)
        await self._listeners.open(_box_id(request), user=UserId(box.user), key=box.key, process=process)
        return web.json_response({})

    async def delete_box(self, request: web.Request) -> web.Response:
        await self._listeners.close(_box_id(request))
        return web.json_response({})

    async def hold(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=BODY_BYTES)
        await socket.prepare(request)
        self._held.add(socket)
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self._held.discard(socket)
        return socket

    async def end(self, _: web.Request) -> web.Response:
        self._stop.set()
        return web.json_response({}, status=202)

    async def _let_go(self, _: web.Application) -> None:
        await asyncio.gather(*(socket.close() for socket in set(self._held)))


def _box_id(request: web.Request) -> str:
    name = request.match_info["box"]
    if not BOX_ID.fullmatch(name):
        raise BadInput("not the name of a box")
    return name
