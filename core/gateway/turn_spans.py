"""Exports turns as spans. They are made from the events, because a box itself sends nothing to a collector."""

from collections.abc import Sequence

from msgspec import UNSET

from core.domain.events import AnyEvent, StateChanged, TurnFinished
from core.domain.records import Session
from core.observability import tracing
from core.observability.tracing import Span, Trace

NS = 1_000_000_000


def current_turn(session: Session) -> Trace | None:
    """Return the trace of the session's current turn; None before its first turn."""
    return tracing.turn_trace(tracing.message_trace(session.id, session.turn)) if session.turn else None


def export_turn_spans(session: Session, events: Sequence[AnyEvent]) -> None:
    """Export a span for every turn that ended in these events, which follow `session.last_seq`."""
    if tracing.sink.get() is None:
        return
    turn = session.turn
    for event in events:
        if isinstance(event, StateChanged):
            turn = event.turn or turn
        elif isinstance(event, TurnFinished) and turn and event.at is not UNSET:
            tracing.export_span(_span(session, turn, event, end_ns=int(event.at.timestamp() * NS)))


def _span(session: Session, turn: str, event: TurnFinished, *, end_ns: int) -> Span:
    message = tracing.message_trace(session.id, turn)
    return Span(
        name="turn",
        kind="internal",
        at=tracing.turn_trace(message),
        parent=message,
        start_ns=end_ns - int(max(0.0, event.duration_s) * NS),
        end_ns=end_ns,
        failed=event.outcome == "error",
        attributes={
            "oma.session": session.id,
            "oma.outcome": event.outcome,
            "oma.tokens.input": event.usage.input_tokens,
            "oma.tokens.output": event.usage.output_tokens,
        },
    )
