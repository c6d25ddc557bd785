"""Follows a message from the browser to the model by its trace, its log lines and the metrics."""

import json
import re

import aiohttp

from core.observability.tracing import message_trace, turn_trace
from tests.collector import Collector
from tests.e2e.conftest import Start, Visit
from tests.e2e.screen import kinds
from tests.model_server import ModelServer
from tests.product import Product, free_port

TRACE = "logging.googleapis.com/trace"
LABELS = "logging.googleapis.com/labels"
SAID = "runner POST /v1/sessions/{id}/messages"


async def test_a_message_is_followed_through_all_processes(start: Start, visit: Visit, model: ModelServer) -> None:
    port = free_port()
    async with Collector() as collector:
        product = await start(
            model_url=model.url,
            OMA_LOG_FORMAT="json",
            OMA_METRICS_PORT=str(port),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        screen = await visit(product)
        await screen.sign_in()
        await screen.new_agent()
        await screen.say("CUT@4 N=30 GAP=0.02")  # the gateway has something to log
        events = await screen.until_turns(1)
        message = message_trace(screen.session, str(kinds(events, "user_said")[0]["message_id"]))
        await collector.until("GET /auth/local", "message", SAID, "turn", "model call")

        spans = {span.name: span for span in collector.spans if span.trace_id.hex() == message.trace_id}
        assert {"message", SAID, "turn", "model call"} <= spans.keys()
        assert spans["message"].span_id.hex() == message.span_id
        assert spans[SAID].parent_span_id == spans["turn"].parent_span_id == spans["message"].span_id
        assert spans["turn"].span_id.hex() == spans["model call"].parent_span_id.hex() == turn_trace(message).span_id
        assert collector.services == {"web", "gateway"}

        web, gateway = await metrics_at(port), await metrics_at(port + 1)
        await screen.page.close()  # or it complains that the product has gone
        await product.stop()

    assert_counted(web, gateway)
    logged = [entry for entry in entries(product) if entry.get(TRACE) == message.trace_id]
    assert [entry["message"] for entry in logged if entry[LABELS] == {"process": "gateway"}]
    assert not re.search(f"{screen.session}|{screen.agent}|/workspace/[^{{]", web + gateway), "an id became a label"


def assert_counted(web: str, gateway: str) -> None:
    for sample in ("oma_sockets 1.0", 'oma_sends_total{outcome="ok"} 1.0', "oma_runners 1.0",
                   "oma_first_words_seconds_count 1.0", 'oma_runner_starts_total{outcome="ok"} 1.0',
                   'oma_sessions{state="idle"} 1.0'):  # fmt: skip
        assert f"{sample}\n" in web, sample
    for sample in ("oma_boxes 1.0", 'oma_turns_total{outcome="ok",reason=""} 1.0', "oma_cli_start_seconds_count 1.0",
                   'oma_cli_starts_total{outcome="ok"} 1.0', "oma_turn_seconds_count 1.0"):  # fmt: skip
        assert f"{sample}\n" in gateway, sample
    for sample in (
        'oma_tokens_total{kind="output"}',
        'oma_model_calls_total{status="200"}',
        "oma_ingested_events_total",
    ):
        assert number(gateway, sample) > 0, sample
    assert re.search(r'oma_requests_total\{method="GET",route="/auth/local",status="30\d"\} 1.0', web)


async def metrics_at(port: int) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()


def number(text: str, sample: str) -> float:
    found = re.search(f"^{re.escape(sample)} (.+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def entries(product: Product) -> list[dict[str, object]]:
    return [json.loads(line) for line in product.log().splitlines() if line.startswith("{")]
