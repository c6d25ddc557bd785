"""The runner's API (core.protocol.runner_api) served to the web: every call signed for this runner and its user."""

import asyncio
import logging
import re
from functools import partial
from typing import TypeVar

import msgspec
from aiohttp import WSMsgType, web

from core.domain.errors import BadInput, Conflict, Forbidden, NotSignedIn, PlatformError, TooMuch, Unavailable
from core.domain.events import Answered
from core.lib.aiohttp_disconnects import Handler, ignore_disconnects
from core.observability import tracing
from core.protocol import runner_api as api
from core.protocol import tokens
from core.runner import export
from core.runner.runner import Runner, read_init
from core.runner.session import Session
from core.runner.sockets import open_socket, show, until_closed

log = logging.getLogger("oma.app")

BODY_BYTES = 2 * 1024 * 1024
WATCHERS = 200  # sockets of one runner
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

T = TypeVar("T")


class App:
    """The handlers. Made into an aiohttp application by `application`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._watchers = 0

    def application(self) -> web.Application:
        app = web.Application(middlewares=[ignore_disconnects, self._authenticate], client_max_size=BODY_BYTES)
        app.add_routes(
            [
                web.get(api.HEALTH, self._health),
                web.post(api.INIT, self._init),
                web.get(api.STATUS, self._status),
                web.get(api.HOLD, self._hold),
                web.put(api.SESSION, self._put),
                web.delete(api.SESSION, self._delete),
                web.delete(api.AGENT, self._delete_agent),
                web.post(api.END_CLIS, self._end_clis),
                web.post(api.RENEW_CLIS, self._renew_clis),
                web.get(api.EXPORT, partial(export.send, root=self._runner.agents)),
                web.post(api.WARM, self._warm),
                web.post(api.MESSAGES, self._say),
                web.post(api.INTERRUPT, self._interrupt),
                web.post(api.REQUEST, self._answer),
                web.get(api.EVENTS, self._events),
                web.get(api.WATCH, self._watch),
                web.post(api.DISK_FULL, self._disk_full),
                web.post(api.STOP, self._stop),
            ]
        )
        return app

    # --- who calls ---------------------------------------------------------------------------------------------------

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if request.path == api.HEALTH:
                return await handler(request)
            await self._admit(request)
            with (
                self._runner.client_connected(),
                tracing.use_trace(tracing.parse(request.headers.get("traceparent", ""))),
            ):
                return await handler(request)
        except PlatformError as error:
            return _json(api.Refusal(code=error.code, detail=str(error)), status=error.status)

    async def _admit(self, request: web.Request) -> None:
        """Raises: NotSignedIn, Forbidden; Unavailable before init."""
        init = request.path == api.INIT
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if bound := self._runner.bound:
            try:
                user = _subject(token, bound.key, f"runner:{bound.box}")
            except NotSignedIn:
                if init:  # whoever has the boot key is told, and no more: it opens nothing that is somebody's
                    self._booted(token)
                    raise Conflict("this runner is bound already", code="bound") from None
                raise
        elif init:
            user = self._booted(token)
        else:
            raise Unavailable("not bound to a user yet", code="dormant")
        if user != (bound or read_init(await request.read())).user:
            raise Forbidden("this runner is another user's")

    def _booted(self, token: str) -> str:
        """Raises: NotSignedIn."""
        return _subject(token, self._runner.boot_key, tokens.boot_audience(self._runner.pod))

    def _session(self, request: web.Request) -> Session:
        return self._runner.sessions.get(_name(request, "session"))

    # --- the runner --------------------------------------------------------------------------------------------------

    async def _health(self, _: web.Request) -> web.Response:
        return _json(api.Health(bound=self._runner.bound is not None, protocol=api.PROTOCOL))

    async def _init(self, request: web.Request) -> web.Response:
        self._runner.bind(read_init(await request.read()))
        return _json()

    async def _status(self, _: web.Request) -> web.Response:
        bound = self._runner.bound
        return _json(msgspec.structs.replace(self._runner.sessions.status(), user=bound.user if bound else ""))

    async def _disk_full(self, _: web.Request) -> web.Response:
        self._runner.sessions.end_working("disk_full")
        return _json(status=202)

    async def _stop(self, request: web.Request) -> web.Response:
        await self._runner.stop(idle_s=(await _read(request, api.Stop)).idle_s if request.body_exists else 0.0)
        return _json()

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

    # --- one session -------------------------------------------------------------------------------------------------

    async def _put(self, request: web.Request) -> web.Response:
        body = await _read(request, api.OpenSession)
        if not NAME.fullmatch(body.agent):
            raise BadInput("not an agent's id")
        self._runner.sessions.put(_name(request, "session"), body.agent, body.kind)
        return _json()

    async def _delete(self, request: web.Request) -> web.Response:
        await self._runner.sessions.delete(_name(request, "session"))
        return _json()

    async def _delete_agent(self, request: web.Request) -> web.Response:
        await self._runner.sessions.delete_agent(_name(request, "agent"))
        return _json()

    async def _end_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.end_clis(_name(request, "agent"))
        return _json(status=202)

    async def _renew_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.renew_clis(_name(request, "agent"))
        return _json(status=202)

    async def _warm(self, request: web.Request) -> web.Response:
        self._session(request).warm()
        return _json(status=202)

    async def _say(self, request: web.Request) -> web.Response:
        body = await _read(request, api.SendMessage)
        if len(body.text) > api.MESSAGE_CHARS:
            raise BadInput(f"more than {api.MESSAGE_CHARS} characters", code="text_too_long")
        if not 0 < len(body.message_id) <= api.MESSAGE_ID_CHARS or len(body.retry_of) > api.MESSAGE_ID_CHARS:
            raise BadInput("message_id is missing or too long")
        session = self._session(request)
        seq = session.conversation.say(body.event)
        await session.fsync()
        return _json(api.Recorded(seq=seq))

    async def _interrupt(self, request: web.Request) -> web.Response:
        self._session(request).interrupt()
        return _json(status=202)

    async def _answer(self, request: web.Request) -> web.Response:
        body = await _read(request, api.Answer)
        answered = Answered(request_id=_name(request, "request"), **msgspec.structs.asdict(body))
        session = self._session(request)
        seq = session.conversation.answer(answered)
        await session.fsync()
        return _json(api.Recorded(seq=seq))

    async def _events(self, request: web.Request) -> web.Response:
        log_file = self._session(request).journal.log
        lines = log_file.read(_count(request, "after", 0), min(_count(request, "limit", 500), 1000))
        body = b'{"events":[%s],"last_seq":%d}' % (b",".join(lines), log_file.last_seq)
        return web.Response(body=body, content_type="application/json")

    async def _watch(self, request: web.Request) -> web.WebSocketResponse:
        session = self._session(request)
        after = _count(request, "after", 0)
        if self._watchers >= WATCHERS:
            raise TooMuch("too many watchers")
        self._watchers += 1
        try:
            socket = await open_socket(request)
            with session.journal.watch(after, session.conversation.unfinished()) as watcher:
                await until_closed(socket, show(socket, watcher))
        finally:
            self._watchers -= 1
        return socket


def _subject(token: str, key: str, audience: str) -> str:
    return str(tokens.verify(token, key=key, audience=audience, max_age_s=tokens.RUNNER_TOKEN_S).get("sub", ""))


def _name(request: web.Request, part: str) -> str:
    name = request.match_info[part]
    if not NAME.fullmatch(name):
        raise BadInput(f"not a {part}'s id")
    return name


def _count(request: web.Request, name: str, default: int) -> int:
    raw = request.query.get(name, str(default))
    if not raw.isascii() or not raw.isdigit() or len(raw) > 15:
        raise BadInput(f"{name} is not a number")
    return int(raw)


async def _read(request: web.Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(str(error)) from error


def _json(body: msgspec.Struct | None = None, status: int = 200) -> web.Response:
    raw = msgspec.json.encode({} if body is None else body)
    return web.Response(body=raw, status=status, content_type="application/json")
