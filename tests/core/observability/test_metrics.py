"""Tests of metrics: each thing counts once, under labels that nobody outside can choose, at a port nobody outside can
reach.
"""

import asyncio
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from limits import RateLimitItemPerMinute
from prometheus_client import generate_latest

from auth.rate import RateLimiter, SlowDown
from core.config.checks import check
from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, RunnerUnavailable, Unavailable
from core.domain.events import StateChanged, Text, TextDelta, TurnFinished, Usage
from core.domain.records import UserId, now
from core.domain.states import SessionState as S
from core.fleet.runner_client import RunnerClient
from core.fleet.session_feed import SessionFeed
from core.fleet.starts import REASONS, RunnerStarts
from core.lib.pubsub import Hub
from core.observability import metrics
from core.observability.event_metrics import REMEMBERED, EventMetrics, FirstTokenTimer
from core.observability.exporters import metrics_address, telemetry
from core.protocol.runner_api import SessionChange
from core.spawner import Phase
from core.spawner.kubernetes_view import STUCK, WORDS
from tests.product import free_port
from ui.layout.i18n import words

ALICE, BOB = UserId("google-1"), UserId("google-2")
DELTA = TextDelta(message="m", block=0, text="Hi")


def value(sample: str, **labels: str) -> float:
    """A sample as Prometheus would read it now; 0 if there is none."""
    return metrics.REGISTRY.get_sample_value(sample, labels) or 0.0


# --- how things end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), (BadInput("no"), "refused"), (Unavailable("no"), "failed"), (KeyError(), "failed"),
     (asyncio.CancelledError(), "cancelled")],
)  # fmt: skip
def test_only_what_is_our_fault_counts_as_failed(error: BaseException | None, outcome: str) -> None:
    before = value("oma_sends_total", outcome=outcome)
    try:
        with metrics.outcome(metrics.sends):
            if error:
                raise error
    except BaseException as raised:  # noqa: BLE001  # the one we have just raised
        assert raised is error
    assert value("oma_sends_total", outcome=outcome) == before + 1


async def test_who_is_told_to_wait_is_counted() -> None:
    once, rates = RateLimitItemPerMinute(1, namespace="test_limit"), RateLimiter()
    await rates.hit(once, "alice")
    with pytest.raises(SlowDown):
        await rates.hit(once, "alice")
    assert value("oma_rate_limited_total", limit="test_limit") == 1


# --- first words -----------------------------------------------------------------------------------------------------


def first_words() -> float:
    return value("oma_first_words_seconds_count")


@pytest.mark.parametrize(
    ("events", "counted"),
    [
        ([StateChanged(state=S.BUSY, turn="m1"), DELTA, DELTA], 1),
        ([StateChanged(state=S.BUSY, turn="m1"), Text(message="m", block=0, text="Hi")], 1),
        ([DELTA, StateChanged(state=S.BUSY, turn="m1"), TurnFinished(outcome="ok")], 0),  # the words of the turn before
        ([StateChanged(state=S.BUSY, turn="m1"), TurnFinished(outcome="error"), DELTA], 0),
        ([StateChanged(state=S.BUSY, turn="m0"), DELTA], 0),  # somebody else's web sent that
    ],
)
def test_the_first_words_of_a_messages_own_turn_are_timed_once(events: list[object], counted: int) -> None:
    before, words = first_words(), FirstTokenTimer()
    words.sent("m1")
    for _ in range(2):  # two tabs
        words.on_events("s1", events)  # type: ignore[arg-type]
    assert first_words() == before + counted


def test_messages_that_are_never_answered_do_not_fill_the_memory() -> None:
    words = FirstTokenTimer()
    for number in range(REMEMBERED + 10):
        words.sent(f"m{number}")
    assert len(words._sent) == REMEMBERED


# --- where sessions stand --------------------------------------------------------------------------------------------


def change(session: str, state: str) -> SessionChange:
    return SessionChange(session=session, agent="a", state=state, last_seq=1, line="")


def test_sessions_are_counted_by_state_while_their_runner_lives() -> None:
    living = {ALICE, BOB}
    census = SessionFeed(lambda: living)
    for user, session, state in (
        (ALICE, "s1", "idle"),
        (ALICE, "s1", "busy"),
        (ALICE, "s2", "idle"),
        (BOB, "s3", "busy"),
    ):
        census.publish(user, change(session, state))
    census.publish(BOB, change("s4", "a word that is no state"))
    assert (value("oma_sessions", state="busy"), value("oma_sessions", state="idle")) == (2, 1)
    assert value("oma_runners") == 2
    living.discard(BOB)
    assert value("oma_sessions", state="busy") == 1
    assert b"a word" not in generate_latest(metrics.REGISTRY)


# --- boxes that are on their way -------------------------------------------------------------------------------------


async def test_boxes_on_their_way_are_counted_by_phase_and_those_that_do_not_come_by_reason() -> None:
    go_on = asyncio.Event()

    async def start(user: UserId) -> RunnerClient:
        waking.tell(user, Phase.QUOTA)
        await go_on.wait()
        raise RunnerUnavailable("too many", code="box_quota" if user == ALICE else "a word of a box")

    waking = RunnerStarts(start, Hub())
    before = {reason: value("oma_box_failures_total", reason=reason) for reason in ("box_quota", "other")}
    starts = [asyncio.create_task(waking.wait(user)) for user in (ALICE, BOB)]
    while value("oma_waking_boxes", phase="quota") < 2:
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*starts, return_exceptions=True)
    assert value("oma_waking_boxes", phase="quota") == 0
    assert {reason: value("oma_box_failures_total", reason=reason) - count for reason, count in before.items()} == {
        "box_quota": 1,
        "other": 1,
    }


def test_every_code_of_a_start_that_fails_is_a_reason_and_has_a_sentence() -> None:
    codes = {*STUCK.values(), *(code for _, code in WORDS)}
    assert codes <= REASONS
    for locale in ("ko", "en"):
        assert not [code for code in REASONS if words(locale).t(f"error.{code}") == f"error.{code}"]


# --- what logs say ---------------------------------------------------------------------------------------------------


def finished(**fields: object) -> TurnFinished:
    return TurnFinished(**({"seq": 1, "at": now(), "outcome": "ok"} | fields))  # type: ignore[arg-type]


def test_a_turn_is_counted_with_its_tokens() -> None:
    samples = {
        "turns": ("oma_turns_total", {"outcome": "ok", "reason": ""}, 1),
        "input": ("oma_tokens_total", {"kind": "input"}, 10),
        "cache": ("oma_tokens_total", {"kind": "cache_read"}, 7),
    }
    before = {name: value(sample, **labels) for name, (sample, labels, _) in samples.items()}
    EventMetrics().count("s1", [finished(usage=Usage(input_tokens=10, cache_read_tokens=7))])
    for name, (sample, labels, more) in samples.items():
        assert value(sample, **labels) == pytest.approx(before[name] + more), name


@pytest.mark.parametrize("amount", [-1.0, math.inf, -math.inf, math.nan])
def test_a_box_cannot_turn_a_counter_back_or_break_it(amount: float) -> None:
    EventMetrics().count("s1", [finished(duration_s=amount)])
    assert math.isfinite(value("oma_turn_seconds_sum"))


def test_a_box_cannot_make_a_label() -> None:
    before = value("oma_turns_total", outcome="error", reason="other")
    EventMetrics().count("s1", [finished(outcome="error", reason="made up by a box")])
    assert value("oma_turns_total", outcome="error", reason="other") == before + 1
    assert b"made up" not in generate_latest(metrics.REGISTRY)


@pytest.mark.parametrize(
    ("then", "outcome"), [(S.IDLE, "ok"), (S.BUSY, "ok"), (S.FAILED, "failed"), (S.ASLEEP, "failed")]
)
def test_a_start_of_a_cli_is_timed_over_two_batches(then: S, outcome: str) -> None:
    before, seconds = value("oma_cli_starts_total", outcome=outcome), value("oma_cli_start_seconds_sum")
    tally, began = EventMetrics(), datetime(2026, 1, 1, tzinfo=UTC)
    tally.count("s1", [StateChanged(seq=1, at=began, state=S.STARTING)])
    tally.count("s1", [StateChanged(seq=2, at=began + timedelta(seconds=2), state=then)])
    tally.count("s1", [StateChanged(seq=3, at=began + timedelta(seconds=9), state=S.IDLE)])
    assert value("oma_cli_starts_total", outcome=outcome) == before + 1
    assert value("oma_cli_start_seconds_sum") == pytest.approx(seconds + (2 if outcome == "ok" else 0))


def test_lag_is_the_age_of_the_oldest_event_when_it_is_kept() -> None:
    before = value("oma_ingest_lag_seconds_sum")
    at = now() - timedelta(seconds=100)
    EventMetrics().count("s1", [StateChanged(seq=1, at=at, state=S.IDLE), StateChanged(seq=2, at=now(), state=S.BUSY)])
    assert value("oma_ingest_lag_seconds_sum") == pytest.approx(before + 100, abs=30)


# --- the listener ----------------------------------------------------------------------------------------------------


async def test_the_listener_serves_metrics_and_nothing_else_on_loopback() -> None:
    settings = replace(Settings(), metrics_port=free_port(), host="0.0.0.0")
    async with telemetry(settings, "web"), aiohttp.ClientSession() as http:
        base = f"http://127.0.0.1:{settings.metrics_port}"
        async with http.get(f"{base}/metrics") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"].startswith("text/plain")
            text = await answer.text()
        assert "# TYPE oma_requests_total counter" in text
        assert "process_resident_memory_bytes" in text
        for path in ("/", "/healthz", "/metrics/x", "/login"):
            async with http.get(base + path) as answer:
                assert answer.status == 404
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", settings.metrics_port)


def test_on_one_machine_the_gateway_is_next_to_the_web_and_in_a_cluster_each_has_a_pod() -> None:
    local = replace(Settings(), metrics_port=9000, host="0.0.0.0")
    assert [metrics_address(local, part) for part in ("web", "gateway")] == [("127.0.0.1", 9000), ("127.0.0.1", 9001)]
    cluster = replace(local, spawner="kubernetes")
    assert {metrics_address(cluster, part) for part in ("web", "gateway")} == {("0.0.0.0", 9000)}


async def test_a_taken_port_is_one_clear_line() -> None:
    settings = replace(Settings(), metrics_port=free_port())
    async with telemetry(settings, "web"):
        with pytest.raises(Misconfigured, match=f"{settings.metrics_port} for metrics"):
            async with telemetry(settings, "web"):
                pass


async def test_there_is_no_listener_unless_it_is_asked_for() -> None:
    check(Settings(metrics_port=9000))
    before = len(asyncio.all_tasks())
    async with telemetry(Settings(), "web"):
        assert len(asyncio.all_tasks()) == before
