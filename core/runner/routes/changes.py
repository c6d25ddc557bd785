"""Routes that say what has changed in an agent's folder, and take a change back."""

import asyncio
from pathlib import Path
from typing import get_args

from aiohttp import web

from core.domain.errors import BadInput
from core.protocol import changes_api as api
from core.runner.changes.history import History
from core.runner.files.failures import told
from core.runner.routes.http import ID, json_answer, json_body, path_id


class ChangeRoutes:
    """Handlers of one runner. `home` is the user's, which the agents' folders are in."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(api.CHANGES, self._list),
            web.get(api.BEFORE, self._before),
            web.post(api.REVERT, self._revert),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        history, session, since = self._asked(request)
        with told():
            try:
                return json_answer(await asyncio.to_thread(history.changes, session, since))
            except FileNotFoundError:  # nobody has spoken with this agent yet
                return json_answer(api.ChangeList())

    async def _before(self, request: web.Request) -> web.Response:
        history, session, since = self._asked(request)
        path = request.query.get("path", "")
        with told():
            data = await asyncio.to_thread(history.before, session, since, path)
        return web.Response(body=data, content_type="application/octet-stream")

    async def _revert(self, request: web.Request) -> web.Response:
        body = await json_body(request, api.Revert)
        history = History(self._home, path_id(request, "agent"))
        _checked(body.session)
        with told():
            return json_answer(
                await asyncio.to_thread(history.revert, body.session, body.since, body.path, seen=body.revision)
            )

    def _asked(self, request: web.Request) -> tuple[History, str, api.Since]:
        since = next((one for one in get_args(api.Since) if one == request.query.get("since", "session")), None)
        if since is None:
            raise BadInput("`since` is turn or session")
        session = _checked(request.query.get("session", ""))
        return History(self._home, path_id(request, "agent")), session, since


def _checked(session: str) -> str:
    if session and not ID.fullmatch(session):
        raise BadInput("not a session's id")
    return session
