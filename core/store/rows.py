"""All that a store has, row by row and owner by owner, for whoever copies it into another store.

A row's body is JSON with everything in it, also what this version of the program does not know.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from core.domain import records, runs, schedules
from core.domain.records import Record, UserId
from core.store.query import table_name

KINDS: dict[str, type[Record]] = {
    table_name(kind): kind
    for module in (records, runs, schedules)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
}
Line = tuple[int, bytes]  # a number and the JSON that has it: an event's, or an entry's of the audit log


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record."""

    kind: str
    id: str
    body: bytes


class Rows(Protocol):
    """What may be copied. Claims are leases of minutes and stay behind.

    Reading goes in groups that one write takes. Each write may be done again and then changes nothing.
    """

    async def owners(self) -> list[UserId]:
        """Everybody who has anything here, `system` included."""

    def records(self, owner: UserId) -> AsyncIterator[list[Row]]: ...

    async def write_records(self, rows: Sequence[Row], *, owner: UserId) -> None: ...

    async def sessions(self, owner: UserId) -> list[str]:
        """The sessions of which there is a log."""

    def lines(self, session: str, *, owner: UserId, after: int) -> AsyncIterator[list[Line]]: ...

    async def last(self, session: str, *, owner: UserId) -> int:
        """The highest number of a log, 0 if there is none."""

    async def write_lines(self, session: str, lines: Sequence[Line], *, owner: UserId) -> None:
        """They go on after `last`."""

    async def counters(self, owner: UserId) -> dict[str, dict[str, float]]: ...

    async def write_counters(self, counters: dict[str, dict[str, float]], *, owner: UserId) -> None: ...

    def audit(self) -> AsyncIterator[list[Line]]:
        """In no order in particular."""

    async def write_audit(self, lines: Sequence[Line]) -> None: ...


def is_complete(kind: str, body: bytes) -> tuple[Record | None, dict[str, Any]]:
    """The record, if we know its kind, and the fields beside it that we do not know, or all."""
    everything: dict[str, Any] = msgspec.json.decode(body)
    if kind not in KINDS:
        return None, everything
    record = msgspec.json.decode(body, type=KINDS[kind])
    known = {field.encode_name for field in msgspec.structs.fields(record)}
    return record, {name: value for name, value in everything.items() if name not in known}


def canonical_json(kind: str, body: bytes) -> bytes:
    """The same bytes for the same record, whichever store it comes from and whichever defaults were left out."""
    record, more = is_complete(kind, body)
    known = msgspec.to_builtins(record) if record else {}
    return msgspec.json.encode(known | more, order="deterministic")
