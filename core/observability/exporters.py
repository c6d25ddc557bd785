"""Starts the exports of metrics and spans: a listener for Prometheus, and an exporter to a collector.

The listener has a port of its own, which no person and no box can reach.
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
    """Export metrics and spans while the context is open, as far as the settings ask for it. Raises: Misconfigured."""
    async with AsyncExitStack() as stack:
        if settings.metrics_port:
            await stack.enter_async_context(metrics_server(settings, part))
        if settings.otlp_endpoint:
            from core.observability.otlp import export_spans  # 20 MB and half a second that nobody else should pay for

            await stack.enter_async_context(
                export_spans(settings.otlp_endpoint, service=part, project=settings.gcp_project)
            )
        yield


def metrics_address(settings: Settings, part: Part) -> tuple[str, int]:
    """Return host and port: in a pod any host; else loopback, with the gateway on the port after the web's."""
    if settings.spawner == "kubernetes":
        return "0.0.0.0", settings.metrics_port  # noqa: S104  # the network policy `metrics` decides who may connect
    return "127.0.0.1", settings.metrics_port + (part == "gateway")


@asynccontextmanager
async def metrics_server(settings: Settings, part: Part) -> AsyncIterator[None]:
    """Serve `GET /metrics` while the context is open. Raises: Misconfigured: the port is taken."""
    host, port = metrics_address(settings, part)
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
