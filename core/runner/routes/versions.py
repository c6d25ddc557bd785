"""Routes about an agent's versions and instructions."""

from collections.abc import Callable

from aiohttp import web

from core.domain.errors import BadInput
from core.protocol import versions_api as api
from core.runner.routes.http import ID, json_answer, json_body, path_id
from core.runner.versions.versions import Versions


class VersionRoutes:
    """Handlers of one runner. `renew_clis` lets an agent's next turns begin in CLIs that know its new files."""

    def __init__(self, versions: Versions, renew_clis: Callable[[str], None]) -> None:
        self._versions, self._renew_clis = versions, renew_clis

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(api.VERSIONS, self._publish),
            web.post(api.RESTORE, self._restore),
            web.post(api.DIFF, self._diff),
            web.post(api.PACK, self._pack),
            web.post(api.IMPORT, self._import),
            web.post(api.DUPLICATE, self._duplicate),
            web.get(api.INSTRUCTIONS, self._instructions),
            web.put(api.INSTRUCTIONS, self._write_instructions),
        ]

    async def _publish(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.Publish)
        return json_answer(await self._versions.publish(path_id(request, "agent"), asked))

    async def _restore(self, request: web.Request) -> web.Response:
        asked, agent = await json_body(request, api.Restore), path_id(request, "agent")
        restored = await self._versions.restore(agent, asked.version)
        self._renew_clis(agent)  # they have read the files that were there
        return json_answer(restored)

    async def _diff(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.DiffRequest)
        return json_answer(await self._versions.diff(path_id(request, "agent"), asked))

    async def _pack(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.Pack)
        raw = await self._versions.pack(path_id(request, "agent"), asked)
        return web.Response(body=raw, content_type="application/zip")

    async def _import(self, request: web.Request) -> web.Response:
        return json_answer(await self._versions.unpack(path_id(request, "agent"), await request.read()))

    async def _duplicate(self, request: web.Request) -> web.Response:
        asked = await json_body(request, api.Duplicate)
        if not ID.fullmatch(asked.target):
            raise BadInput("not an agent's id")
        await self._versions.duplicate(path_id(request, "agent"), asked.target)
        return json_answer()

    async def _instructions(self, request: web.Request) -> web.Response:
        return json_answer(await self._versions.instructions(path_id(request, "agent")))

    async def _write_instructions(self, request: web.Request) -> web.Response:
        wanted, agent = await json_body(request, api.Instructions), path_id(request, "agent")
        written = await self._versions.write_instructions(agent, wanted)
        self._renew_clis(agent)
        return json_answer(written)
