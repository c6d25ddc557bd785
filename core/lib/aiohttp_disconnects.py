"""A caller that goes away in the middle of an answer is nothing wrong, though aiohttp calls it a server's error."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

log = logging.getLogger("oma.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def hung_up(request: web.Request) -> bool:
    """Whether nobody is left who could read an answer."""
    return request.transport is None or request.transport.is_closing()


@web.middleware
async def ignore_disconnects(request: web.Request, handler: Handler) -> web.StreamResponse:
    """End what was being sent or read without a word of alarm. Comes first among the middlewares."""
    try:
        return await handler(request)
    except ConnectionError:  # aiohttp raises three kinds of it
        if not hung_up(request):
            raise  # somebody else's connection
        log.info("%s %s: the caller went away", request.method, request.rel_url.path[:200])
        return web.Response(status=499)  # goes nowhere
