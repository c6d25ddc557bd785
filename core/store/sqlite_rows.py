"""Reads and writes all rows of the embedded store, for copies between stores."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from core.domain.records import UserId
from core.store.rows import Line, Row
from core.store.sqlite import PUT, SqliteStore

GROUP = 200
OWNERS = "SELECT owner FROM records UNION SELECT owner FROM events UNION SELECT owner FROM usage ORDER BY 1"
RECORDS = "SELECT kind, id, body FROM records WHERE owner = ? ORDER BY kind, id LIMIT ? OFFSET ?"
LINES = "SELECT seq, body FROM events WHERE owner = ? AND session = ? AND seq > ? ORDER BY seq LIMIT ?"
ACTS = "SELECT seq, body FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"


class _Dated(msgspec.Struct):
    at: str = ""


class SqliteRows:
    """The Rows of core.store.rows in SQLite."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store

    async def owners(self) -> list[UserId]:
        return [UserId(owner) for (owner,) in await self._read(OWNERS)]

    async def records(self, owner: UserId) -> AsyncIterator[list[Row]]:
        offset = 0
        while found := await self._read(RECORDS, owner, GROUP, offset):
            offset += len(found)
            yield [Row(kind=kind, id=id, body=body.encode()) for kind, id, body in found]

    async def write_records(self, rows: Sequence[Row], *, owner: UserId) -> None:
        async with self._store._transaction() as db:
            await db.executemany(PUT, [(row.kind, owner, row.id, row.body.decode()) for row in rows])

    async def sessions(self, owner: UserId) -> list[str]:
        found = await self._read("SELECT DISTINCT session FROM events WHERE owner = ? ORDER BY 1", owner)
        return [session for (session,) in found]

    async def lines(self, session: str, *, owner: UserId, after: int) -> AsyncIterator[list[Line]]:
        while found := await self._read(LINES, owner, session, after, GROUP):
            after = found[-1][0]
            yield [(seq, body.encode()) for seq, body in found]

    async def last(self, session: str, *, owner: UserId) -> int:
        asked = "SELECT coalesce(max(seq), 0) FROM events WHERE owner = ? AND session = ?"
        [(last,)] = await self._read(asked, owner, session)
        return int(last)

    async def write_lines(self, session: str, lines: Sequence[Line], *, owner: UserId) -> None:
        dated = [(seq, msgspec.json.decode(text, type=_Dated).at, text.decode()) for seq, text in lines]
        async with self._store._transaction() as db:
            await db.executemany(
                "INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?)",
                [(owner, session, seq, at, body) for seq, at, body in dated],
            )

    async def counters(self, owner: UserId) -> dict[str, dict[str, float]]:
        return await self._store.all_usage(owner=owner)

    async def write_counters(self, counters: dict[str, dict[str, float]], *, owner: UserId) -> None:
        rows = [(owner, key, name, amount) for key, row in counters.items() for name, amount in row.items()]
        async with self._store._transaction() as db:
            await db.executemany("INSERT OR REPLACE INTO usage VALUES (?, ?, ?, ?)", rows)

    async def audit(self) -> AsyncIterator[list[Line]]:
        after = 0
        while found := await self._read(ACTS, after, GROUP):
            after = found[-1][0]
            yield [(seq, body.encode()) for seq, body in found]

    async def write_audit(self, lines: Sequence[Line]) -> None:
        async with self._store._transaction() as db:
            await db.executemany(
                "INSERT OR IGNORE INTO audit (seq, body) VALUES (?, ?)", [(seq, text.decode()) for seq, text in lines]
            )

    async def _read(self, statement: str, *values: Any) -> list[Any]:
        async with self._store._reading() as db:
            return list(await db.execute_fetchall(statement, values))
