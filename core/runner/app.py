"""The runner's API (core.protocol.runner_api) served to the web: every call signed for this runner and its user."""

from aiohttp import web

from core.domain.errors import Conflict, Forbidden, NotSignedIn, PlatformError, Unavailable
from core.lib.aiohttp_disconnects import Handler, ignore_disconnects
from core.observability import tracing
from core.protocol import runner_api as api
from core.protocol import tokens
from core.runner.routes.agents import AgentRoutes
from core.runner.routes.changes import ChangeRoutes
from core.runner.routes.control import ControlRoutes
from core.runner.routes.files import FileRoutes
from core.runner.routes.http import json_answer
from core.runner.routes.sessions import SessionRoutes
from core.runner.routes.terminals import TerminalRoutes
from core.runner.routes.versions import VersionRoutes
from core.runner.runner import Runner, read_init

BODY_BYTES = 2 * 1024 * 1024


class App:
    """The handlers. Made into an aiohttp application by `application`."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def application(self) -> web.Application:
        app = web.Application(middlewares=[ignore_disconnects, self._authenticate], client_max_size=BODY_BYTES)
        app.add_routes(
            [
                *ControlRoutes(self._runner).routes(),
                *AgentRoutes(self._runner).routes(),
                *SessionRoutes(self._runner).routes(),
                *FileRoutes(self._runner.home).routes(),
                *ChangeRoutes(self._runner.home).routes(),
                *TerminalRoutes(self._runner).routes(),
                *VersionRoutes(self._runner.versions, lambda agent: self._runner.sessions.renew_clis(agent)).routes(),
            ]
        )
        return app

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
            return json_answer(api.Refusal(code=error.code, detail=str(error)), status=error.status)

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


def _subject(token: str, key: str, audience: str) -> str:
    return str(tokens.verify(token, key=key, audience=audience, max_age_s=tokens.RUNNER_TOKEN_S).get("sub", ""))
