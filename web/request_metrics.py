"""Counts and times every request by its route, outside of all guards, and begins its trace.

The labels are our own route templates, so that invented paths cannot fill the memory. A trace id that a browser sends
is ignored: a stranger could otherwise choose the trace that a request belongs to.
"""

import time
from contextlib import AbstractContextManager, nullcontext

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth.guard import HEALTH, STATIC_PREFIXES
from core.observability import metrics
from core.observability.tracing import Span, span

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ANSWER = 500  # the status that a client gets if the request failed before its answer began


class RequestMetrics:
    """Pure ASGI, the outermost layer. Sockets are counted in auth.guard."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = NO_ANSWER, time.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "other"
        with _span(scope) as one:
            try:
                await self.app(scope, receive, noted)
            finally:
                route = route_of(scope)
                metrics.requests.labels(route, method, str(status)).inc()
                metrics.request_seconds.labels(route).observe(time.monotonic() - began)
                if one:
                    one.name, one.failed = f"{method} {route}", status >= 500
                    one.attributes |= {"http.request.method": method, "http.route": route}
                    one.attributes["http.response.status_code"] = status


def _span(scope: Scope) -> AbstractContextManager[Span | None]:
    """Return the span of a request; static files and health checks have none."""
    path = scope["path"]
    return nullcontext() if path in HEALTH or path.startswith(STATIC_PREFIXES) else span("request", kind="server")


def route_of(scope: Scope) -> str:
    """Return the route template, one label for all static files, or `(other)` where no route matched."""
    for prefix in STATIC_PREFIXES:
        if scope["path"].startswith(prefix):
            return prefix
    if template := getattr(scope.get("route"), "path", ""):
        return str(template)
    endpoint = scope.get("endpoint")  # a plain Starlette route leaves nothing else in the scope
    routes = getattr(scope.get("app"), "routes", ()) if endpoint else ()
    return next((str(one.path) for one in routes if getattr(one, "endpoint", None) == endpoint), "(other)")
