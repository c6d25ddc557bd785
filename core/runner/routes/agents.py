"""Routes that concern one agent: the end of its CLIs, and its deletion."""

import asyncio

from aiohttp import web

from core.protocol import runner_api as api
from core.runner.files.folder import PRIVATE, AgentFolder
from core.runner.routes.http import json_answer, path_id
from core.runner.runner import Runner


class AgentRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.delete(api.AGENT, self._delete),
            web.post(api.END_CLIS, self._end_clis),
            web.post(api.RENEW_CLIS, self._renew_clis),
        ]

    async def _delete(self, request: web.Request) -> web.Response:
        agent = path_id(request, "agent")
        await self._runner.terminals.end_agent(agent)
        await self._runner.sessions.delete_agent(agent)
        await asyncio.to_thread(AgentFolder(self._runner.home, agent).forget, *PRIVATE)
        return json_answer()

    async def _end_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.end_clis(path_id(request, "agent"))
        return json_answer(status=202)

    async def _renew_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.renew_clis(path_id(request, "agent"))
        return json_answer(status=202)
