"""Middleware for callers that disconnect in the middle of an answer: aiohttp would log that as a server error."""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

log = logging.getLogger("oma.http")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def hung_up(request: web.Request) -> bool:
    """True if the caller has disconnected."""
    return request.transport is None or request.transport.is_closing()


@web.middleware
async def ignore_disconnects(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a disconnected caller with status 499 instead of an error. It has to be the first middleware."""
    try:
        return await handler(request)
    except ConnectionError:  # aiohttp raises three kinds of it
        if not hung_up(request):
            raise  # it is another connection that broke
        log.info("%s %s: the caller went away", request.method, request.rel_url.path[:200])
        return web.Response(status=499)  # nobody receives it
