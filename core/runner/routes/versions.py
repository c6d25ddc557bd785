"""Routes about an agent's versions and instructions."""

from aiohttp import web

from core.protocol import versions_api as api
from core.runner.routes.http import json_answer, json_body, path_id
from core.runner.runner import Runner


class VersionRoutes:
    """Handlers of one runner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(api.VERSIONS, self._publish),
            web.post(api.RESTORE, self._restore),
            web.post(api.DIFF, self._diff),
            web.get(api.INSTRUCTIONS, self._instructions),
            web.put(api.INSTRUCTIONS, self._write_instructions),
        ]

    async def _publish(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.Publish)
        return json_answer(await self._runner.versions.publish(path_id(request, "agent"), asked))

    async def _restore(self, request: web.Request) -> web.Response:
        asked, agent = await json_body(request, api.Restore), path_id(request, "agent")
        restored = await self._runner.versions.restore(agent, asked.version)
        self._runner.sessions.renew_clis(agent)  # they have read the files that were there
        return json_answer(restored)

    async def _diff(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.DiffRequest)
        return json_answer(await self._runner.versions.diff(path_id(request, "agent"), asked))

    async def _instructions(self, request: web.Request) -> web.Response:
        return json_answer(await self._runner.versions.instructions(path_id(request, "agent")))

    async def _write_instructions(self, request: web.Request) -> web.Response:
        wanted, agent = await json_body(request, api.Instructions), path_id(request, "agent")
        written = await self._runner.versions.write_instructions(agent, wanted)
        self._runner.sessions.renew_clis(agent)
        return json_answer(written)
