"""Every request, measured from outside of all guards: counted by its route, and the beginning of a trace.

Routes are templates of ours, so that nobody can fill the memory of who counts with paths. What a browser says of a
trace is not taken over: a stranger would choose which of our traces their requests are in.
"""

import time
from contextlib import AbstractContextManager, nullcontext

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auth.guard import HEALTH, STATIC_PREFIXES
from core.observability import metrics
from core.observability.tracing import Span, span

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ANSWER = 500  # what a person sees whose request broke before it was answered


class RequestMetrics:
    """Pure ASGI; the outermost. Sockets are counted where their seats are (auth.guard)."""

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
    """Files and health checks are no story."""
    path = scope["path"]
    return nullcontext() if path in HEALTH or path.startswith(STATIC_PREFIXES) else span("request", kind="server")


def route_of(scope: Scope) -> str:
    """The template that answered; one word for all files, and one for what no route of ours took."""
    for prefix in STATIC_PREFIXES:
        if scope["path"].startswith(prefix):
            return prefix
    if template := getattr(scope.get("route"), "path", ""):
        return str(template)
    endpoint = scope.get("endpoint")  # all that a plain route of Starlette says of itself
    routes = getattr(scope.get("app"), "routes", ()) if endpoint else ()
    return next((str(one.path) for one in routes if getattr(one, "endpoint", None) == endpoint), "(other)")
