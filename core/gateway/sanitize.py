"""One event of a box, made harmless to keep: bounded in depth, length and number, whatever was sent."""

import math
from datetime import MAXYEAR, MINYEAR
from typing import Any

import msgspec

from core.domain.errors import BadInput
from core.domain.events import LIVE_ONLY, AnyEvent, Notice, TurnFinished, Usage, decode, encode

TEXT_CHARS = 2_000_000  # a model's longest answer is far below; a batch is 8 MiB at most anyhow
NAME_CHARS = 256  # ids, names of tools, codes
DEPTH = 20  # of a tool's input
ITEMS = 2_000  # of any list or object in it
EXACT_INT = 2**53  # beyond it browsers and stores do not agree on what a number is
COST_USD = 10_000.0  # of one turn; what a runner says of cost counts against its own user only
TOKENS = 1_000_000_000  # likewise
SECONDS = 10_000_000.0
UNKNOWN = "unknown_event"

SHORT = frozenset({
    "id", "name", "parent", "message", "message_id", "request_id", "tool", "tool_id", "by", "via", "kind", "agent",
    "decision", "outcome", "reason_code", "header", "turn", "level", "status", "model",
})  # fmt: skip


class SequencedEvent(msgspec.Struct, frozen=True):
    """The least an event has to be."""

    seq: int
    type: str


def sanitize(raw: bytes | msgspec.Raw) -> AnyEvent:
    """The event, or what stands in for one of an unknown kind, or one that is no JSON anybody could keep.

    Raises: BadInput: its number is impossible. msgspec.DecodeError: it has none.
    """
    try:
        event = decode(msgspec.json.encode(_bounded(msgspec.json.decode(raw))))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return stand_in(raw)
    if isinstance(event, LIVE_ONLY) or not _is_dateable(event):
        return stand_in(raw)
    return _counted(event) if isinstance(event, TurnFinished) else event


def stand_in(raw: bytes | msgspec.Raw) -> AnyEvent:
    """A notice with the event's number, which must not be lost, or the log would stop there for ever.

    Raises: BadInput: its number is impossible. msgspec.DecodeError: it has none.
    """
    number = msgspec.json.decode(raw, type=SequencedEvent)
    try:
        return decode(encode(Notice(seq=number.seq, text=UNKNOWN)))
    except (msgspec.ValidationError, OverflowError) as error:
        raise BadInput("an event has an impossible number") from error


def stands_in(event: AnyEvent) -> bool:
    """Whether this is only the place of an event."""
    return isinstance(event, Notice) and event.text == UNKNOWN


def _is_dateable(event: AnyEvent) -> bool:
    """Whether its time is one in every zone: the first and the last day there is are not."""
    return event.at is msgspec.UNSET or MINYEAR < event.at.year < MAXYEAR


def _bounded(value: Any, *, name: str = "", depth: int = 0) -> Any:
    match value:
        case str():
            limit = NAME_CHARS if name in SHORT and depth == 1 else TEXT_CHARS
            return value[:limit]
        case bool() | None:
            return value
        case int():
            return value if abs(value) <= EXACT_INT else str(value)[:NAME_CHARS]
        case float():
            return value if math.isfinite(value) else None
        case dict() if depth < DEPTH:
            pairs = list(value.items())[:ITEMS]
            return {key[:NAME_CHARS]: _bounded(item, name=key, depth=depth + 1) for key, item in pairs}
        case list() if depth < DEPTH:
            return [_bounded(item, depth=depth + 1) for item in value[:ITEMS]]
    return "…"


def _counted(event: TurnFinished) -> TurnFinished:
    usage = msgspec.structs.asdict(event.usage)
    return msgspec.structs.replace(
        event,
        usage=Usage(**{name: min(max(amount, 0), TOKENS) for name, amount in usage.items()}),
        cost_usd=min(max(event.cost_usd, 0.0), COST_USD),
        duration_s=min(max(event.duration_s, 0.0), SECONDS),
        context_tokens=min(max(event.context_tokens, 0), TOKENS),
        window_tokens=min(max(event.window_tokens, 0), TOKENS),
    )
