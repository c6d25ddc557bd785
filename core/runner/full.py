"""`POST /v1/full`: whoever counts the user's disk space says that it is used up and still becomes less."""

from aiohttp import web

from core.runner.runner import Runner


async def tell(_: web.Request, *, runner: Runner) -> web.Response:
    """What works is ended, and each conversation says why; 202 at once."""
    runner.sessions.end_working("disk_full")
    return web.json_response({}, status=202)
