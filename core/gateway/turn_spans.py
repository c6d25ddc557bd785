"""Turns as spans, told from the log: a turn ends in a box, and a box sends nothing to a collector."""

from collections.abc import Sequence

from msgspec import UNSET

from core.domain.events import AnyEvent, StateChanged, TurnFinished
from core.domain.records import Session
from core.observability import tracing
from core.observability.tracing import Span, Trace

NS = 1_000_000_000


def turn_under_way(session: Session) -> Trace | None:
    """Where a model call of this session belongs; None before its first turn."""
    return tracing.turn_of(tracing.of_message(session.id, session.turn)) if session.turn else None


def tell_turns(session: Session, events: Sequence[AnyEvent]) -> None:
    """Every turn that ended in these events, which come right after `session.last_seq`."""
    if tracing.sink.get() is None:
        return
    turn = session.turn
    for event in events:
        if isinstance(event, StateChanged):
            turn = event.turn or turn
        elif isinstance(event, TurnFinished) and turn and event.at is not UNSET:
            tracing.end(_span(session, turn, event, end_ns=int(event.at.timestamp() * NS)))


def _span(session: Session, turn: str, event: TurnFinished, *, end_ns: int) -> Span:
    message = tracing.of_message(session.id, turn)
    return Span(
        name="turn",
        kind="internal",
        at=tracing.turn_of(message),
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
