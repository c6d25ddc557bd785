"""All rows of a store, owner by owner, for copies into another store.

A row's body is JSON with all fields, including those that this version of the program does not know.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from core.domain import model_connection, notifications, records, runs, schedules
from core.domain.records import Record, UserId
from core.store.query import table_name

KINDS: dict[str, type[Record]] = {
    table_name(kind): kind
    for module in (records, runs, schedules, notifications, model_connection)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Record) and kind is not Record
}
Line = tuple[int, bytes]  # the number and the JSON of an event or of an entry of the audit log


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored record."""

    kind: str
    id: str
    body: bytes


class Rows(Protocol):
    """Everything of a store that can be copied. Claims are leases of minutes and are not copied.

    Reads come in groups that fit into one write. Each write may be repeated and then changes nothing.
    """

    async def owners(self) -> list[UserId]:
        """Return every owner of a row, `system` included."""

    def records(self, owner: UserId) -> AsyncIterator[list[Row]]: ...

    async def write_records(self, rows: Sequence[Row], *, owner: UserId) -> None: ...

    async def sessions(self, owner: UserId) -> list[str]:
        """Return the sessions that have a log."""

    def lines(self, session: str, *, owner: UserId, after: int) -> AsyncIterator[list[Line]]: ...

    async def last(self, session: str, *, owner: UserId) -> int:
        """Return the highest number of a log; 0 if there is none."""

    async def write_lines(self, session: str, lines: Sequence[Line], *, owner: UserId) -> None:
        """Write lines of a log, which continue after `last`."""

    async def counters(self, owner: UserId) -> dict[str, dict[str, float]]: ...

    async def write_counters(self, counters: dict[str, dict[str, float]], *, owner: UserId) -> None: ...

    def audit(self) -> AsyncIterator[list[Line]]:
        """Yield the audit log's lines in no particular order."""

    async def write_audit(self, lines: Sequence[Line]) -> None: ...


def is_complete(kind: str, body: bytes) -> tuple[Record | None, dict[str, Any]]:
    """Return the record if we know its kind, and the fields that we do not know (all fields of an unknown kind)."""
    everything: dict[str, Any] = msgspec.json.decode(body)
    if kind not in KINDS:
        return None, everything
    record = msgspec.json.decode(body, type=KINDS[kind])
    known = {field.encode_name for field in msgspec.structs.fields(record)}
    return record, {name: value for name, value in everything.items() if name not in known}


def canonical_json(kind: str, body: bytes) -> bytes:
    """Return the same bytes for equal records, whichever store they come from and whichever defaults they omit."""
    record, more = is_complete(kind, body)
    known = msgspec.to_builtins(record) if record else {}
    return msgspec.json.encode(known | more, order="deterministic")
