"""Routes that concern one session: its conversation, its requests and its event log."""

import asyncio

import msgspec
from aiohttp import web

from core.domain.errors import BadInput, TooMuch
from core.domain.events import Answered
from core.protocol import runner_api as api
from core.runner.attachments import check as check_attachments
from core.runner.queue_edits import change_queue
from core.runner.routes.http import ID, json_answer, json_body, path_id, query_count
from core.runner.runner import Runner
from core.runner.session import Session
from core.runner.session_settings import refresh_settings
from core.runner.sockets import open_socket, show, until_closed

WATCHERS = 200  # sockets of one runner


class SessionRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._watchers = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.put(api.SESSION, self._put),
            web.delete(api.SESSION, self._delete),
            web.post(api.WARM, self._warm),
            web.post(api.MESSAGES, self._say),
            web.post(api.QUEUE, self._change_queue),
            web.post(api.SETTINGS, self._refresh_settings),
            web.get(api.CLI, self._cli),
            web.post(api.INTERRUPT, self._interrupt),
            web.post(api.REQUEST, self._answer),
            web.get(api.EVENTS, self._events),
            web.get(api.WATCH, self._watch),
        ]

    def _session(self, request: web.Request) -> Session:
        return self._runner.sessions.get(path_id(request, "session"))

    async def _put(self, request: web.Request) -> web.Response:
        body = await json_body(request, api.OpenSession)
        if not ID.fullmatch(body.agent):
            raise BadInput("not an agent's id")
        self._runner.sessions.put(path_id(request, "session"), body.agent, body.kind)
        return json_answer()

    async def _delete(self, request: web.Request) -> web.Response:
        session = path_id(request, "session")
        await self._runner.terminals.end_session(session)
        await self._runner.sessions.delete(session)
        await self._runner.tracker.forget_session(session)
        return json_answer()

    async def _warm(self, request: web.Request) -> web.Response:
        self._session(request).warm()
        return json_answer(status=202)

    async def _say(self, request: web.Request) -> web.Response:
        body = await json_body(request, api.SendMessage)
        if len(body.text) > api.MESSAGE_CHARS:
            raise BadInput(f"more than {api.MESSAGE_CHARS} characters", code="text_too_long")
        if not 0 < len(body.message_id) <= api.MESSAGE_ID_CHARS or len(body.retry_of) > api.MESSAGE_ID_CHARS:
            raise BadInput("message_id is missing or too long")
        session = self._session(request)
        if body.attachments and body.message_id not in session.journal.projection.seqs:
            folder = session.launcher.place.folder(session.journal.projection.agent)
            checked = await asyncio.to_thread(check_attachments, body.attachments, folder)
            body = msgspec.structs.replace(body, attachments=checked)
        seq = session.conversation.say(body.event)
        await session.fsync()
        return json_answer(api.Recorded(seq=seq))

    async def _change_queue(self, request: web.Request) -> web.Response:
        session = self._session(request)
        change_queue(session.conversation, await json_body(request, api.ChangeQueue))
        await session.fsync()
        return json_answer()

    async def _refresh_settings(self, request: web.Request) -> web.Response:
        await refresh_settings(self._session(request))
        return json_answer()

    async def _cli(self, request: web.Request) -> web.Response:
        client = self._session(request).conversation.cli_client
        return json_answer(await client.info() if client else api.CliInfo())

    async def _interrupt(self, request: web.Request) -> web.Response:
        self._session(request).interrupt()
        return json_answer(status=202)

    async def _answer(self, request: web.Request) -> web.Response:
        body = await json_body(request, api.Answer)
        answered = Answered(request_id=path_id(request, "request"), **msgspec.structs.asdict(body))
        session = self._session(request)
        seq = session.conversation.answer(answered)
        await session.fsync()
        return json_answer(api.Recorded(seq=seq))

    async def _events(self, request: web.Request) -> web.Response:
        journal = self._session(request).journal
        lines = journal.read(query_count(request, "after", 0), min(query_count(request, "limit", 500), 1000))
        body = b'{"events":[%s],"last_seq":%d}' % (b",".join(lines), journal.log.last_seq)
        return web.Response(body=body, content_type="application/json")

    async def _watch(self, request: web.Request) -> web.WebSocketResponse:
        session = self._session(request)
        after = query_count(request, "after", 0)
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
