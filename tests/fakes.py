"""Doubles beyond the seams, honest to their contracts: a scripted runner and the spawner that starts it in-process."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from core.domain.errors import NotSignedIn, PlatformError, RunnerUnavailable
from core.domain.events import Answered, AnyEvent, Live, SessionOpened, UserSaid, encode_many, numbered, seq_of
from core.domain.records import Box, UserId
from core.domain.states import SessionState
from core.lib.aiohttp_disconnects import ignore_disconnects
from core.protocol import tokens
from core.protocol.runner_api import PROTOCOL
from core.runner import export
from core.runner.routes.changes import ChangeRoutes
from core.runner.routes.files import FileRoutes
from core.runner.routes.versions import VersionRoutes
from core.runner.versions.versions import Versions
from core.spawner import Isolation, Phase, Poll, ProgressCallback, RunnerEndpoint, nobody


class ScriptedRunner:
    """The runner's API over a real unix socket, with a log that the test writes; the log outlives it."""

    def __init__(self, disk: dict[str, list[AnyEvent]], unfinished: dict[str, list[AnyEvent]] | None = None) -> None:
        self.logs = disk
        self.unfinished = unfinished or {}  # of a session: what is being written, as everybody who comes is told
        self.agents: dict[str, str] = {}
        self.folder = self.home = Path("nothing-here")
        self.calls: list[str] = []
        self.traces: dict[str, str] = {}  # last traceparent of each call
        self.protocol: int | None = PROTOCOL  # None: as the first version, which said none
        self.inits: list[dict[str, Any]] = []
        self.marks = True  # as a runner of this version
        self.open_turns = 0
        self.idle_s = 0.0
        self.looked = asyncio.Event()  # its status was asked for; the answer says what was so before `answer_now`
        self.stopping = asyncio.Event()
        self.answer_now = asyncio.Event()
        self.answer_now.set()
        self.box: Box | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self._news = asyncio.Condition()
        self._web: web.AppRunner | None = None

    async def listen(self, path: str, box: Box) -> None:
        self.box = box
        app = web.Application(middlewares=[ignore_disconnects, self._guard])
        app.add_routes(
            [
                web.get("/healthz", self._health),
                web.post("/v1/init", self._init),
                web.get("/v1/status", self._status),
                web.get("/v1/hold", self._hold),
                web.put("/v1/sessions/{id}", self._open),
                web.post("/v1/sessions/{id}/messages", self._say),
                web.post("/v1/sessions/{id}/requests/{request}", self._answer),
                web.post("/v1/sessions/{id}/{act:warm|interrupt}", self._accept),
                web.get("/v1/sessions/{id}/watch", self._watch),
                web.post("/v1/stop", self._stop),
                web.post("/v1/agents/{id}/{act:rest|renew}", self._accept),
                web.delete("/v1/agents/{id}", self._accept),
                web.get("/v1/export", self._export),
                *ChangeRoutes(self.home).routes(),
                *FileRoutes(self.home).routes(),  # the real ones, on a folder of the test's
                *VersionRoutes(Versions(self.home), lambda _: None).routes(),
            ]
        )
        self._web = web.AppRunner(app, shutdown_timeout=0.1)
        await self._web.setup()
        await web.UnixSite(self._web, path).start()

    async def die(self) -> None:
        """SIGKILL: sockets break, nothing is said."""
        await self.cut()
        if self._web:
            for site in tuple(self._web.sites):
                await site.stop()
            await asyncio.sleep(0)  # whom asyncio has let in just now is connected, or nobody would close it
            await self._web.cleanup()
            self._web = None

    async def cut(self) -> None:
        """All connections break; the process lives."""
        for socket in tuple(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def append(self, session: str, *events: AnyEvent) -> None:
        log = self.logs[session]
        for event in events:
            log.append(numbered(event, seq=len(log) + 1))
        async with self._news:
            self._news.notify_all()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        assert self.box
        if request.path == "/healthz":
            return await handler(request)
        self.calls.append(f"{request.method} {request.path}")
        self.traces[self.calls[-1]] = request.headers.get("traceparent", "")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            claims = tokens.verify(token, key=self.box.key, audience=f"runner:{self.box.id}", max_age_s=60)
        except NotSignedIn:
            return web.json_response({"code": "bad_token"}, status=401)
        if claims["sub"] != self.box.user:
            return web.json_response({"code": "forbidden"}, status=403)
        try:
            return await handler(request)
        except PlatformError as error:
            return web.json_response({"code": error.code, "detail": str(error)}, status=error.status)

    async def _health(self, _: web.Request) -> web.Response:
        version = {} if self.protocol is None else {"protocol": self.protocol}
        return web.json_response({"status": "ok", "bound": True, **version})

    async def _init(self, request: web.Request) -> web.Response:
        self.inits.append(await request.json())
        return web.json_response({"marks": self.marks})

    async def _accept(self, _: web.Request) -> web.Response:
        return web.json_response({}, status=202)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        return await export.send(request, self.folder)

    async def _status(self, _: web.Request) -> web.Response:
        status = {"open_turns": self.open_turns, "idle_s": self.idle_s}
        self.looked.set()
        await self.answer_now.wait()
        return web.json_response(status)

    async def _stop(self, request: web.Request) -> web.Response:
        if request.body_exists and (self.open_turns or self.idle_s < (await request.json())["idle_s"]):
            return web.json_response({"code": "busy"}, status=409)
        self.stopping.set()
        await self.answer_now.wait()
        return web.json_response({})

    async def _open(self, request: web.Request) -> web.Response:
        if self.stopping.is_set():
            return web.json_response({"code": "stopping"}, status=503)
        session, body = request.match_info["id"], await request.json()
        if session not in self.logs:
            self.logs[session] = []
            self.agents[session] = body["agent"]
            await self.append(session, SessionOpened(agent=body["agent"]))
        return web.json_response({})

    async def _say(self, request: web.Request) -> web.Response:
        if self.stopping.is_set():
            return web.json_response({"code": "stopping"}, status=503)
        session, body = request.match_info["id"], await request.json()
        for event in self.logs[session]:
            if isinstance(event, UserSaid) and event.message_id == body["message_id"]:
                return web.json_response({"seq": seq_of(event)})
        self.open_turns, self.idle_s = 1, 0.0
        given = {"message_id": body["message_id"], "text": body["text"], "retry_of": body.get("retry_of", "")}
        await self.append(session, UserSaid(**given))
        return web.json_response({"seq": len(self.logs[session])})

    async def _answer(self, request: web.Request) -> web.Response:
        session, body, name = request.match_info["id"], await request.json(), request.match_info["request"]
        for event in self.logs[session]:
            if isinstance(event, Answered) and event.request_id == name:
                same = event.decision == body["decision"]
                return web.json_response(
                    {"seq": seq_of(event), "code": "already_answered"}, status=200 if same else 409
                )
        await self.append(session, Answered(request_id=name, decision=body["decision"], rule=body["rule"]))
        return web.json_response({"seq": len(self.logs[session])})

    async def _hold(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._socket(request)
        change = {"session": "s", "agent": "a", "state": SessionState.IDLE, "last_seq": 1, "line": "안녕"}
        await socket.send_str(msgspec.json.encode(change).decode())
        async for _ in socket:
            pass
        return socket

    async def _watch(self, request: web.Request) -> web.WebSocketResponse:
        socket = await self._socket(request)
        after, log = int(request.query["after"]), self.logs[request.match_info["id"]]
        writing = self.unfinished.get(request.match_info["id"], [])
        await socket.send_str(encode_many([*log[after:], Live(last_seq=len(log)), *writing]).decode())
        pump = asyncio.create_task(self._pump(socket, log, len(log)))
        async for _ in socket:
            pass
        pump.cancel()
        return socket

    async def _pump(self, socket: web.WebSocketResponse, log: list[AnyEvent], after: int) -> None:
        while True:
            async with self._news:
                while len(log) <= after:
                    await self._news.wait()
            batch, after = log[after:], len(log)
            await socket.send_str(encode_many(batch).decode())

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets = {s for s in self._sockets if not s.closed} | {socket}
        return socket


class ScriptedSpawner:
    """Starts ScriptedRunners; the disk outlives them, as homes do."""

    shared = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.disks: dict[UserId, dict[str, list[AnyEvent]]] = {}
        self.unfinished: dict[str, list[AnyEvent]] = {}
        self.alive: dict[str, ScriptedRunner] = {}
        self.started = 0
        self.refuse = False
        self.marks = True  # its runners mark their logs
        self.slow_s = 0.0

    def runner_of(self, user: UserId) -> ScriptedRunner:
        return next(runner for runner in self.alive.values() if runner.box and runner.box.user == user)

    async def kill(self, user: UserId) -> None:
        runner = self.runner_of(user)
        assert runner.box
        del self.alive[runner.box.id]
        await runner.die()

    def isolation(self) -> Isolation:
        return Isolation(name="none")

    async def start(self, box: Box, tell: ProgressCallback = nobody) -> dict[str, Any]:
        if self.refuse:
            raise RunnerUnavailable("no room")
        self.started += 1
        tell(Phase.STARTING)
        await asyncio.sleep(self.slow_s)
        runner = ScriptedRunner(self.disks.setdefault(box.user, {}), self.unfinished)
        runner.home = self.folder / "home"
        runner.home.mkdir(exist_ok=True)
        runner.marks = self.marks
        await runner.listen(self.endpoint(box).unix, box)
        self.alive[box.id] = runner
        return {"pid": 1}

    async def poll(self, box: Box) -> Poll:
        return Poll.RUNNING if box.id in self.alive else Poll.GONE

    def endpoint(self, box: Box) -> RunnerEndpoint:
        return RunnerEndpoint(url="http://runner", unix=str(self.folder / f"{box.id}.sock"))

    async def stop(self, box: Box, *, grace_s: float = 5.0) -> None:
        if runner := self.alive.pop(box.id, None):
            await runner.die()

    async def over_quota(self, box: Box) -> bool:
        return False

    async def forget(self, user: UserId) -> None:
        self.disks.pop(user, None)


class OpenGate:
    """A gateway that is always there and takes every box."""

    def __init__(self) -> None:
        self.boxes: set[str] = set()

    async def register(self, box: Box) -> None:
        self.boxes.add(box.id)

    async def unregister(self, box_id: str) -> None:
        self.boxes.discard(box_id)
