"""An OpenTelemetry collector on the loopback: takes spans over OTLP/HTTP and remembers them."""

import asyncio
import gzip
from typing import Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """`async with Collector() as collector`: `collector.url` is for OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.projects: set[str] = set()
        app = web.Application()
        app.add_routes([web.post("/v1/traces", self._take)])
        self._runner = web.AppRunner(app, access_log=None)
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(told["service.name"])
            self.projects.add(told.get("gcp.project_id", ""))
            for scope in resource.scope_spans:
                self.spans += scope.spans
        self._came.set()
        return web.Response(content_type="application/x-protobuf")

    def named(self, name: str) -> Span:
        """The newest span of this name. Raises: LookupError."""
        for span in reversed(self.spans):
            if span.name == name:
                return span
        raise LookupError(f"{name} is not among {sorted({span.name for span in self.spans})}")

    async def until(self, *names: str, timeout_s: float = 20.0) -> None:
        """Wait until spans of all these names have arrived."""
        try:
            async with asyncio.timeout(timeout_s):
                while not {*names} <= {span.name for span in self.spans}:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError as error:
            raise AssertionError(f"of {names} only {sorted({span.name for span in self.spans})} came") from error
