"""Metrics that need a short memory: the time to the first token, and how long CLIs take to start.

All of it is bounded, and losing it loses a figure, nothing else.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import UNSET

from core.domain.events import AnyEvent, StateChanged, Text, TextDelta, ThinkingDelta, TurnFinished
from core.domain.records import now
from core.domain.states import SessionState
from core.observability import metrics

REMEMBERED = 10_000  # of each kind; the oldest gives way
REASONS = frozenset({
    "", "cli_died", "runner_lost", "stopped_by_user", "no_answer", "model_key_refused", "model_overloaded", "disk_full",
    "model_error", "background_ended", "cli_not_started", "too_long", "orphaned", "shutdown", "tampered", "spend_limit",
    "max_turns",
})  # fmt: skip
TOKENS = {"input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read_tokens",
          "cache_write": "cache_write_tokens"}  # fmt: skip
T = TypeVar("T")
WORDS = (TextDelta, ThinkingDelta, Text)


class FirstTokenTimer:
    """Measures in the web the time from a message to the first words of its turn."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, float] = OrderedDict()  # message → when
        self._begun: OrderedDict[str, float] = OrderedDict()  # session whose turn has begun → when it was asked for

    def sent(self, message_id: str) -> None:
        """Note the time of a message before it is sent. One that joins a running turn is forgotten in time."""
        _remember(self._sent, message_id, time.monotonic())

    def on_events(self, session: str, batch: Sequence[AnyEvent]) -> None:
        """Look for first words in the events of a session; cheap while no message waits."""
        if not self._sent and not self._begun:
            return
        for event in batch:
            if isinstance(event, StateChanged) and (sent := self._sent.pop(event.turn, None)) is not None:
                _remember(self._begun, session, sent)
            elif isinstance(event, WORDS) and (sent := self._begun.pop(session, None)) is not None:
                metrics.first_words_seconds.observe(time.monotonic() - sent)
            elif isinstance(event, TurnFinished):
                self._begun.pop(session, None)


class EventMetrics:
    """Counts events as they are stored. Nothing that a box sends becomes a label."""

    def __init__(self) -> None:
        self._starting: OrderedDict[str, datetime] = OrderedDict()  # session → since when its CLI is being started

    def count(self, session: str, events: Sequence[AnyEvent]) -> None:
        """Count events that were just stored, in order."""
        metrics.ingested.inc(len(events))
        if events and events[0].at is not UNSET:
            metrics.ingest_lag_seconds.observe(max(0.0, (now() - events[0].at).total_seconds()))
        for event in events:
            if isinstance(event, StateChanged):
                self._state(session, event)
            elif isinstance(event, TurnFinished):
                _turn(event)

    def _state(self, session: str, event: StateChanged) -> None:
        if event.at is UNSET:
            return
        if event.state is SessionState.STARTING:
            _remember(self._starting, session, event.at)
        elif (began := self._starting.pop(session, None)) is not None:
            ended = "ok" if event.state in (SessionState.IDLE, SessionState.BUSY) else "failed"
            metrics.cli_starts.labels(ended).inc()
            if ended == "ok":
                metrics.cli_start_seconds.observe(max(0.0, (event.at - began).total_seconds()))


def _turn(event: TurnFinished) -> None:
    metrics.turns.labels(event.outcome, event.reason if event.reason in REASONS else "other").inc()
    metrics.turn_seconds.observe(_finite(event.duration_s))
    for kind, name in TOKENS.items():
        metrics.tokens.labels(kind).inc(_finite(getattr(event.usage, name)))


def _finite(amount: float) -> float:
    """Return the amount if a counter may be raised by it, else 0."""
    return max(0.0, amount) if math.isfinite(amount) else 0.0


def _remember(what: OrderedDict[str, T], key: str, value: T) -> None:
    what[key] = value
    if len(what) > REMEMBERED:
        what.popitem(last=False)
