"""All metrics of the platform for Prometheus, with their labels.

The values of labels are ours, few and known in advance: never a user, a session, a path or any text from a stranger or
a box. docs/observability.md has the table; a test compares dashboard and alerts with this file.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from core.domain.errors import PlatformError

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

QUICK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
LONG_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 60, 120, 300, 600)

requests = Counter("oma_requests", "Requests, by route template", ["route", "method", "status"], registry=REGISTRY)
request_seconds = Histogram(
    "oma_request_seconds", "Until the answer is sent", ["route"], buckets=QUICK_S, registry=REGISTRY
)
sockets = Gauge("oma_sockets", "Open sockets of pages", registry=REGISTRY)
rate_limited = Counter("oma_rate_limited", "Requests told to wait", ["limit"], registry=REGISTRY)
sends = Counter("oma_sends", "Messages sent, by outcome", ["outcome"], registry=REGISTRY)
first_words_seconds = Histogram(
    "oma_first_words_seconds", "From send to the first words, in the web", buckets=LONG_S, registry=REGISTRY
)
runners = Gauge("oma_runners", "Runners that this web holds", registry=REGISTRY)
runner_starts = Counter("oma_runner_starts", "Boxes started, by outcome", ["outcome"], registry=REGISTRY)
runner_start_seconds = Histogram(
    "oma_runner_start_seconds", "Until a new box takes sessions", buckets=LONG_S, registry=REGISTRY
)
waking = Gauge("oma_waking_boxes", "Starts of boxes under way, by phase", ["phase"], registry=REGISTRY)
box_failures = Counter("oma_box_failures", "Boxes that did not start, by reason", ["reason"], registry=REGISTRY)
sessions = Gauge("oma_sessions", "Sessions of held runners, by state", ["state"], registry=REGISTRY)
boxes = Gauge("oma_boxes", "Boxes that this gateway listens for", registry=REGISTRY)
cli_starts = Counter("oma_cli_starts", "Claude Code processes started", ["outcome"], registry=REGISTRY)
cli_start_seconds = Histogram("oma_cli_start_seconds", "Until a CLI is ready", buckets=LONG_S, registry=REGISTRY)
turns = Counter("oma_turns", "Turns that ended", ["outcome", "reason"], registry=REGISTRY)
turn_seconds = Histogram("oma_turn_seconds", "How long turns took", buckets=LONG_S, registry=REGISTRY)
tokens = Counter("oma_tokens", "Tokens, as the CLI reports them", ["kind"], registry=REGISTRY)
cost_usd = Counter("oma_cost_usd", "US dollars of model calls, as the gateway meters them", registry=REGISTRY)
model_calls = Counter("oma_model_calls", "Calls of the Messages API", ["status"], registry=REGISTRY)
model_call_seconds = Histogram(
    "oma_model_call_seconds", "Whole answers of the model", buckets=LONG_S, registry=REGISTRY
)
queue_depth = Gauge("oma_queue_depth", "Calls that wait for a slot", ["queue"], registry=REGISTRY)
ingest_lag_seconds = Histogram(
    "oma_ingest_lag_seconds", "Age of a batch's first event when it is kept", buckets=QUICK_S, registry=REGISTRY
)
ingested = Counter("oma_ingested_events", "Events kept", registry=REGISTRY)
egress = Counter("oma_egress", "Outbound connections of boxes", ["decision"], registry=REGISTRY)
egress_bytes = Counter("oma_egress_bytes", "Bytes of outbound connections", ["direction"], registry=REGISTRY)


@contextmanager
def outcome(counter: Counter, seconds: Histogram | None = None) -> Iterator[None]:
    """Count how the block ends: `ok`, `refused` (the request was wrong), `cancelled` (the caller left), `failed`."""
    began, ended = time.monotonic(), "failed"
    try:
        yield
        ended = "ok"
    except PlatformError as error:
        ended = "refused" if error.status < 500 else "failed"
        raise
    except asyncio.CancelledError:
        ended = "cancelled"
        raise
    finally:
        counter.labels(ended).inc()
        if seconds and ended == "ok":
            seconds.observe(time.monotonic() - began)
