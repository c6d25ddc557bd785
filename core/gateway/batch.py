"""Reads a batch of a runner's log: its size is checked before it is decoded, then each event is sanitised.

JSON is decoded by C code that holds the interpreter lock, also in a thread. So no single decoding may be large: the
values in an event are counted first, and an event with too many is not decoded at all.
"""

from itertools import pairwise

import msgspec

from core.domain.errors import BadInput
from core.domain.events import AnyEvent, seq_of
from core.gateway.sanitize import SequencedEvent, sanitize, stand_in
from core.protocol.gateway_api import BATCH_EVENTS, HIGHEST_SEQ, EventBatch

EVENT_VALUES = 50_000  # in one event; 10 ms
BATCH_VALUES = 200_000  # in all of them; the largest honest batches have some thousands
LIGHT_BYTES, LIGHT_VALUES = 64 * 1024, 5_000


class BatchShape(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /internal/events` as far as the numbers of its events."""

    session: str
    events: list[SequencedEvent]


class ReadBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A checked batch: the numbers of its events rise by one."""

    session: str
    events: tuple[AnyEvent, ...]


def is_light(body: bytes) -> bool:
    """Return whether `read_batch` is quicker than handing the body to a thread."""
    return len(body) <= LIGHT_BYTES and _separators(body) <= LIGHT_VALUES


def read_batch(body: bytes) -> ReadBatch:
    """Decode and sanitise a batch. Raises: BadInput: it is none, is too long, or its numbers have a gap."""
    try:
        if len(msgspec.json.decode(body, type=BatchShape).events) > BATCH_EVENTS:
            raise BadInput(f"more than {BATCH_EVENTS} events", code="too_large")
        batch = msgspec.json.decode(body, type=EventBatch)
        events = tuple(_sanitized(batch.events))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"not a batch of events: {error}"[:300]) from error
    numbers = [seq_of(event) for event in events]
    if numbers and not 1 <= numbers[0] <= HIGHEST_SEQ:
        raise BadInput("an event has no number, or an impossible one")
    if any(then != first + 1 for first, then in pairwise(numbers)):
        raise BadInput("the numbers of a batch must follow each other")
    return ReadBatch(session=batch.session, events=events)


def _sanitized(raws: list[msgspec.Raw]) -> list[AnyEvent]:
    left, events = BATCH_VALUES, list[AnyEvent]()
    for raw in raws:
        values = values_in(bytes(raw))
        if values > min(left, EVENT_VALUES):
            events.append(stand_in(raw))
        else:
            left -= values
            events.append(sanitize(raw))
    return events


def values_in(raw: bytes) -> int:
    """Estimate how many values a JSON text has from its brackets and commas outside of strings, undecoded."""
    if (most := _separators(raw)) <= LIGHT_VALUES:
        return most
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    strings = plain.count(b'"') // 2
    if strings > 2 * EVENT_VALUES:  # a value has at most one name
        return strings // 2
    return _separators(b"".join(plain.split(b'"')[::2]))


def _separators(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{") + raw.count(b",")
