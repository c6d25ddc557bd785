"""The order that every store demands of events: whole numbers without gaps, each number once."""

from collections.abc import Sequence

from core.domain.errors import BadInput, Conflict, SeqTaken
from core.domain.events import AnyEvent, seq_of


def in_order(events: Sequence[AnyEvent]) -> list[AnyEvent]:
    """Return the events sorted and without duplicates.

    Raises: BadInput: not numbered. SeqTaken: a number is there twice, with other content. Conflict: a gap inside.
    """
    if any(seq_of(event) < 1 for event in events):
        raise BadInput("only numbered events are stored")
    batch: list[AnyEvent] = []
    for event in sorted(events, key=seq_of):
        if not batch or seq_of(event) == seq_of(batch[-1]) + 1:
            batch.append(event)
        elif event != batch[-1]:
            taken = seq_of(event) == seq_of(batch[-1])
            raise SeqTaken(f"event {event.seq} is there twice") if taken else Conflict(f"a gap before {event.seq}")
    return batch


def same(again: Sequence[AnyEvent], stored: Sequence[AnyEvent]) -> None:
    """Compare events with the stored ones. Raises: SeqTaken: a number of `again` is stored with other content."""
    there = {seq_of(event): event for event in stored}
    for event in again:
        if there.get(seq_of(event)) != event:
            raise SeqTaken(f"event {event.seq} is there with other content")
