"""What a process shows to those who watch over it: a listener for Prometheus, and spans for a collector.

The listener is one of its own, which no person and no box can reach.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from core.config.settings import Settings
from core.domain.errors import Misconfigured
from core.observability.metrics import REGISTRY

CLOSE_S = 1.0
Part = Literal["web", "gateway"]


@asynccontextmanager
async def telemetry(settings: Settings, part: Part) -> AsyncIterator[None]:
    """While the context is open, as the settings say. Raises: Misconfigured."""
    async with AsyncExitStack() as stack:
        if settings.metrics_port:
            await stack.enter_async_context(metrics_door(settings, part))
        if settings.otlp_endpoint:
            from core.observability.otlp import exporting  # 20 MB and half a second that nobody else should pay for

            await stack.enter_async_context(
                exporting(settings.otlp_endpoint, service=part, project=settings.gcp_project)
            )
        yield


def address(settings: Settings, part: Part) -> tuple[str, int]:
    """On one machine loopback only, and the gateway one port after the web. In a cluster each has its pod to itself."""
    if settings.spawner == "kubernetes":
        return "0.0.0.0", settings.metrics_port  # noqa: S104  # who may come is the network policy `metrics`
    return "127.0.0.1", settings.metrics_port + (part == "gateway")


@asynccontextmanager
async def metrics_door(settings: Settings, part: Part) -> AsyncIterator[None]:
    """`GET /metrics` is answered while the context is open. Raises: Misconfigured: the port is taken."""
    host, port = address(settings, part)
    app = web.Application()
    app.add_routes([web.get("/metrics", _metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Misconfigured(f"cannot listen on {host}:{port} for metrics: {error.strerror}") from error
        yield
    finally:
        await runner.cleanup()


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
