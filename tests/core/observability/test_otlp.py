"""Spans arrive at a collector, and one that is away holds nobody up."""

import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.observability import tracing
from core.observability.otlp import END_S, export_spans
from tests.collector import Collector
from tests.product import free_port

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with Collector() as one:
        yield one


async def test_spans_arrive_with_their_place_in_the_trace(collector: Collector) -> None:
    async with export_spans(collector.url, service="web", project="p"):
        with tracing.span("message", at=tracing.message_trace("s1", "m1")) as message:
            with tracing.client_span("runner POST"):
                pass
            message.attributes["oma.session"] = "s1"
    outer, inner = collector.named("message"), collector.named("runner POST")
    assert outer.trace_id.hex() == inner.trace_id.hex() == tracing.message_trace("s1", "m1").trace_id
    assert inner.parent_span_id == outer.span_id
    assert not outer.parent_span_id
    assert {one.key: one.value.string_value for one in outer.attributes} == {"oma.session": "s1"}
    assert (collector.services, collector.projects) == ({"web"}, {"p"})


async def test_a_collector_that_is_away_or_deaf_does_not_hold_up_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes connections and never reads
        for port in (free_port(), deaf.getsockname()[1]):
            began = time.monotonic()
            async with export_spans(f"http://127.0.0.1:{port}", service="web"):
                with tracing.span("lost"):
                    pass
            assert time.monotonic() - began < END_S + 4


async def test_more_spans_than_anybody_takes_are_dropped_and_nobody_waits() -> None:
    async with export_spans(f"http://127.0.0.1:{free_port()}", service="web"):
        began = time.monotonic()
        for _ in range(10_000):
            with tracing.span("flood"):
                pass
        assert time.monotonic() - began < 10


@pytest.mark.parametrize("module", ["core.runner.daemon", "core.observability.exporters"])
def test_who_sends_no_traces_does_not_pay_for_them(module: str) -> None:
    look = f"import sys, {module}; print(sorted(name for name in sys.modules if 'opentelemetry' in name))"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_runner_counts_nothing_and_imports_nothing_that_does() -> None:
    look = "import sys, core.runner.daemon, core.runner.cli_client; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
