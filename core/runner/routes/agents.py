"""Routes that concern one agent: the end of its CLIs, copies of its folder for tests, and its deletion."""

import asyncio

from aiohttp import web

from core.protocol import runner_api as api
from core.runner.routes.http import json_answer, path_id
from core.runner.runner import Runner
from core.runner.scratch import copy_folder, remove_copy


class AgentRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.delete(api.AGENT, self._delete),
            web.post(api.END_CLIS, self._end_clis),
            web.post(api.RENEW_CLIS, self._renew_clis),
            web.put(api.COPY, self._copy),
            web.delete(api.COPY, self._remove_copy),
        ]

    async def _delete(self, request: web.Request) -> web.Response:
        agent = path_id(request, "agent")
        await self._runner.terminals.end_agent(agent)
        await self._runner.sessions.delete_agent(agent)
        await self._runner.tracker.forget_agent(agent)
        return json_answer()

    async def _copy(self, request: web.Request) -> web.Response:
        agent, copy = path_id(request, "agent"), path_id(request, "copy")
        await asyncio.to_thread(copy_folder, self._runner.home, agent, copy)
        return json_answer(status=201)

    async def _remove_copy(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(remove_copy, self._runner.home, path_id(request, "copy"))
        return json_answer()

    async def _end_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.end_clis(path_id(request, "agent"))
        return json_answer(status=202)

    async def _renew_clis(self, request: web.Request) -> web.Response:
        self._runner.sessions.renew_clis(path_id(request, "agent"))
        return json_answer(status=202)
