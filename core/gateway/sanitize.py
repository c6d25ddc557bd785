"""Sanitises an event from a box: limits its depth, lengths and numbers, whatever was sent."""

import math
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Any

import msgspec

from core.domain.errors import BadInput
from core.domain.events import LIVE_ONLY, AnyEvent, Notice, TurnFinished, UnknownEvent, Usage, decode, encode

TEXT_CHARS = 2_000_000  # a model's longest answer is far shorter; a batch has at most 8 MiB
NAME_CHARS = 256  # ids, names of tools, codes
DEPTH = 20  # of a tool's input
ITEMS = 2_000  # of any list or object in it
EXACT_INT = 2**53  # larger integers are not exact in browsers and stores
TOKENS = 1_000_000_000  # of one turn; a runner's own numbers are shown to its user only
SECONDS = 10_000_000.0
UNKNOWN = "unknown_event"
UNKNOWN_BYTES = 256 * 1024  # of an event whose kind we do not know
LIVE_KINDS = frozenset(kind.__struct_config__.tag for kind in LIVE_ONLY)

SHORT = frozenset({
    "id", "name", "parent", "message", "message_id", "request_id", "tool", "tool_id", "by", "via", "kind", "agent",
    "decision", "outcome", "reason_code", "header", "turn", "level", "status", "model", "before", "anchor",
})  # fmt: skip


class SequencedEvent(msgspec.Struct, frozen=True):
    """The fields that every event must have."""

    seq: int
    type: str


class EventHead(msgspec.Struct, frozen=True):
    """The fields that an event of any version has."""

    seq: Annotated[int, msgspec.Meta(ge=1)]
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    at: datetime | msgspec.UnsetType = msgspec.UNSET


def sanitize(raw: bytes | msgspec.Raw) -> AnyEvent:
    """Return the event within our limits.

    An event that this version does not know is kept as an UnknownEvent. If nothing can be kept, a notice gets its
    number. Raises: BadInput: its number is impossible. msgspec.DecodeError: it has none.
    """
    try:
        bounded = _bounded(msgspec.json.decode(raw))
        event = _decoded(bounded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError):
        return stand_in(raw)
    if isinstance(event, LIVE_ONLY) or not _is_dateable(event):
        return stand_in(raw)
    return _bounded_numbers(event) if isinstance(event, TurnFinished) else event


def _decoded(fields: Any) -> AnyEvent:
    """Decode an event. Raises: msgspec.DecodeError: it is no event of any version."""
    try:
        return decode(msgspec.json.encode(fields))
    except msgspec.ValidationError:
        head = msgspec.convert(fields, EventHead)  # raises for what has no number, type or time
        line = msgspec.json.encode(fields)
        if len(line) > UNKNOWN_BYTES or head.type in LIVE_KINDS:
            raise
        data = {name: value for name, value in fields.items() if name not in ("seq", "at", "type")}
        return decode(encode(UnknownEvent(seq=head.seq, at=head.at, kind=head.type, data=data)))


def stand_in(raw: bytes | msgspec.Raw) -> AnyEvent:
    """Return a notice with the event's number. A missing number would stop the log there for good.

    Raises: BadInput: its number is impossible. msgspec.DecodeError: it has none.
    """
    number = msgspec.json.decode(raw, type=SequencedEvent)
    try:
        return decode(encode(Notice(seq=number.seq, text=UNKNOWN)))
    except (msgspec.ValidationError, OverflowError) as error:
        raise BadInput("an event has an impossible number") from error


def stands_in(event: AnyEvent) -> bool:
    """Return whether this event stands for one that this version does not know or could not keep."""
    return isinstance(event, UnknownEvent) or (isinstance(event, Notice) and event.text == UNKNOWN)


def _is_dateable(event: AnyEvent) -> bool:
    """Return whether the event's time exists in every time zone; the first and last days of the calendar do not."""
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


def _bounded_numbers(event: TurnFinished) -> TurnFinished:
    usage = msgspec.structs.asdict(event.usage)
    return msgspec.structs.replace(
        event,
        usage=Usage(**{name: min(max(amount, 0), TOKENS) for name, amount in usage.items()}),
        cost_usd=0.0,  # a runner's own number does not count (core.gateway.metering)
        unpriced_calls=0,
        duration_s=min(max(event.duration_s, 0.0), SECONDS),
        waited_s=min(max(event.waited_s, 0.0), SECONDS),
        context_tokens=min(max(event.context_tokens, 0), TOKENS),
        window_tokens=min(max(event.window_tokens, 0), TOKENS),
        background=min(max(event.background, 0), ITEMS),
    )
