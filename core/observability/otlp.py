"""Exports finished spans to an OpenTelemetry collector over OTLP/HTTP, from a thread with a bounded queue.

Imported by core.observability.exporters only, where OTEL_EXPORTER_OTLP_ENDPOINT is set.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from core.observability.tracing import Span, Trace, sink

QUEUE = 2048  # further spans are dropped, so that nothing waits
EXPORT_S = 5.0
END_S = 1.0  # G4: the whole web ends within 10 s
KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}


class SpanExportQueue:
    """Queues spans as they end; `close` sends what is left."""

    def __init__(self, exporter: SpanExporter, *, service: str, project: str = "") -> None:
        google = {"gcp.project_id": project} if project else {}  # without it Google takes no span
        self._resource = Resource({"service.name": service, "service.namespace": "oh-my-agent", **google})
        self._exporter = exporter
        self._processor = BatchSpanProcessor(exporter, max_queue_size=QUEUE, schedule_delay_millis=1000)

    def take(self, one: Span) -> None:
        """Queue a span; never waits."""
        self._processor.on_end(
            ReadableSpan(
                name=one.name,
                context=_context(one.at),
                parent=_context(one.parent) if one.parent else None,
                resource=self._resource,
                attributes=one.attributes,
                kind=KINDS[one.kind],
                status=Status(StatusCode.ERROR if one.failed else StatusCode.UNSET),
                start_time=one.start_ns,
                end_time=one.end_ns,
            )
        )

    def close(self) -> None:
        """Send what is left within END_S, so that a collector that is away does not hold up the end of the process."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(END_S)
        self._exporter.shutdown()


@asynccontextmanager
async def export_spans(endpoint: str, *, service: str, project: str = "") -> AsyncIterator[None]:
    """Export the spans of this task and of the tasks it starts to `endpoint` while the context is open."""
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_S)
    collector = SpanExportQueue(exporter, service=service, project=project)
    before = sink.set(collector.take)
    try:
        yield
    finally:
        sink.reset(before)
        await asyncio.to_thread(collector.close)


def _context(place: Trace) -> SpanContext:
    return SpanContext(
        trace_id=int(place.trace_id, 16),
        span_id=int(place.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )
