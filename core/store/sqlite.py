"""The embedded store: one SQLite file, shared by web and gateway of one machine."""

import asyncio
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
import msgspec

from core.domain import events as log
from core.domain.errors import BadInput, Conflict, NotFound, StoreUnavailable
from core.domain.events import AnyEvent
from core.domain.records import Record, UserId
from core.store import query, schema, sqlite_search
from core.store.event_order import in_order, same
from core.store.sqlite_audit import SqliteAudit

R = TypeVar("R", bound=Record)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])

GET = "SELECT body FROM records WHERE kind = ? AND owner = ? AND id = ?"
PUT = "INSERT INTO records VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body"
CLAIM = """INSERT INTO claims VALUES (:name, :holder, :until) ON CONFLICT DO UPDATE
    SET holder = :holder, until = :until WHERE holder = :holder OR until <= :now"""
ADD = "INSERT INTO usage VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET amount = amount + excluded.amount"


class SqliteStore(SqliteAudit):
    """The Store of core.store in SQLite, with two connections: a writer, and a reader that never waits for it."""

    def __init__(
        self, path: Path, writer: aiosqlite.Connection, reader: aiosqlite.Connection, *, clock: Callable[[], float]
    ) -> None:
        self._path, self._writer, self._reader, self._clock = path, writer, reader, clock
        self._turn = asyncio.Lock()  # one transaction at a time on the writing connection
        self._closed = False

    @classmethod
    async def open(
        cls, path: Path, *, clock: Callable[[], float] = time.time, min_free_bytes: int = schema.MIN_FREE_BYTES
    ) -> Self:
        """Create or open the database; leases are measured with `clock`.

        Raises: StoreUnavailable: no space, no right, or damaged. Misconfigured: written by a newer program.
        """
        await asyncio.to_thread(schema.prepare, path, min_free_bytes=min_free_bytes)
        try:
            writer = await schema.connect(path)
            try:
                await schema.migrate(writer)
                reader = await schema.connect(path)
            except BaseException:
                await writer.close()
                raise
        except (sqlite3.Error, TimeoutError) as error:
            raise schema.explain(error, path) from error
        return cls(path, writer, reader, clock=clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._reader.close()
            async with self._turn:
                await self._writer.close()

    async def ping(self) -> None:
        if not await self.claim("store/ping", holder="ping", lease_s=0):
            raise StoreUnavailable("the ping did not come back")

    async def create(self, record: Record, *, owner: UserId) -> None:
        body = msgspec.json.encode(record).decode()
        async with self._transaction() as db:
            if await self._body(db, type(record), record.id, owner) is not None:
                raise Conflict(f"{query.table_name(type(record))} {record.id} exists")
            await db.execute(PUT, (query.table_name(type(record)), owner, record.id, body))

    async def put(self, record: Record, *, owner: UserId) -> None:
        async with self._transaction() as db:
            old = await self._body(db, type(record), record.id, owner)
            await self._merge(db, old or "{}", record, owner)

    async def change(
        self, kind: type[R], id: str, *, owner: UserId, expect: Mapping[str, Any] | None = None, **fields: Any
    ) -> R:
        async with self._transaction() as db:
            old = await self._body(db, kind, id, owner)
            if old is None:
                raise NotFound(f"{query.table_name(kind)} {id}")
            before = _decode(kind, old)
            if expect and not query.equals(before, expect):
                raise Conflict(f"{query.table_name(kind)} {id} has changed")
            record = msgspec.structs.replace(before, **fields)
            body = await self._merge(db, old, record, owner)
            try:
                return msgspec.json.decode(body, type=kind)
            except msgspec.ValidationError as error:
                raise BadInput(str(error)) from error  # and the transaction is undone

    async def get(self, kind: type[R], id: str, *, owner: UserId) -> R:
        async with self._reading() as db:
            body = await self._body(db, kind, id, owner)
        if body is None:
            raise NotFound(f"{query.table_name(kind)} {id}")
        return _decode(kind, body)

    async def find(
        self,
        kind: type[R],
        *,
        owner: UserId,
        where: Mapping[str, Any] | None = None,
        newest_by: str = "",
        oldest_by: str = "",
        above: datetime | None = None,
        below: datetime | None = None,
        after: R | None = None,
        limit: int = 100,
    ) -> list[R]:
        asked = query.Query(
            where=where or {}, newest_by=newest_by, oldest_by=oldest_by, above=above, below=below, after=after
        )
        statement, values = query.select(kind, asked, owner=owner, limit=limit)
        async with self._reading() as db:
            rows = await db.execute_fetchall(statement, values)
        return [_decode(kind, body) for (body,) in rows]

    async def count(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any] | None = None) -> int:
        condition, values = query.matching(kind, where or {}, owner=owner)
        async with self._reading() as db:
            [(found,)] = await db.execute_fetchall(f"SELECT count(*) FROM records WHERE {condition}", values)  # noqa: S608  # as in query.select
        return int(found)

    async def delete_where(self, kind: type[Record], *, owner: UserId, where: Mapping[str, Any]) -> None:
        condition, values = query.matching(kind, where, owner=owner)
        async with self._transaction() as db:
            await db.execute(f"DELETE FROM records WHERE {condition}", values)  # noqa: S608  # as in query.select

    async def delete(self, kind: type[R], id: str, *, owner: UserId) -> None:
        async with self._transaction() as db:
            await db.execute(
                "DELETE FROM records WHERE kind = ? AND owner = ? AND id = ?", (query.table_name(kind), owner, id)
            )

    async def append(self, session: str, events: Sequence[AnyEvent], *, owner: UserId) -> int:
        batch = in_order(events)
        async with self._transaction() as db:
            [(last,)] = await db.execute_fetchall(
                "SELECT coalesce(max(seq), 0) FROM events WHERE owner = ? AND session = ?", (owner, session)
            )
            again = [event for event in batch if log.seq_of(event) <= last]
            fresh = batch[len(again) :]
            await self._compare(db, session, again, owner)
            if fresh and log.seq_of(fresh[0]) != last + 1:
                raise Conflict(f"event {last + 1} is missing")
            await db.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
                [
                    (owner, session, log.seq_of(e), e.at.isoformat() if e.at else "", log.encode(e).decode())
                    for e in fresh
                ],
            )
        return max(int(last), log.seq_of(fresh[-1]) if fresh else 0)

    async def events(self, session: str, *, owner: UserId, after: int = 0, limit: int = 1000) -> list[AnyEvent]:
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT body FROM events WHERE owner = ? AND session = ? AND seq > ? ORDER BY seq LIMIT ?",
                (owner, session, after, limit),
            )
        return _decode_events([body for (body,) in rows])

    async def last_events(self, session: str, *, owner: UserId, limit: int = 200) -> list[AnyEvent]:
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT body FROM events WHERE owner = ? AND session = ? ORDER BY seq DESC LIMIT ?",
                (owner, session, limit),
            )
        return _decode_events([body for (body,) in rows][::-1])

    async def delete_events(self, session: str, *, owner: UserId) -> None:
        async with self._transaction() as db:
            await db.execute("DELETE FROM events WHERE owner = ? AND session = ?", (owner, session))

    async def search_messages(
        self, query: str, *, owner: UserId, session: str = "", limit: int = 50
    ) -> list[tuple[str, AnyEvent]]:
        async with self._reading() as db:
            found = await sqlite_search.find(db, query, owner=owner, session=session, limit=limit)
        return list(zip([each for each, _ in found], _decode_events([body for _, body in found]), strict=True))

    async def claim(self, name: str, *, holder: str, lease_s: float) -> bool:
        now = self._clock()
        async with self._transaction() as db:
            # remove expired claims, so that the table stays small
            await db.execute("DELETE FROM claims WHERE until <= ? AND name <> ?", (now, name))
            cursor = await db.execute(CLAIM, {"name": name, "holder": holder, "until": now + lease_s, "now": now})
            return cursor.rowcount == 1

    async def release(self, name: str, *, holder: str) -> None:
        async with self._transaction() as db:
            await db.execute("DELETE FROM claims WHERE name = ? AND holder = ?", (name, holder))

    async def add_usage(self, key: str, *, owner: UserId, **amounts: float) -> None:
        await self.add_usage_rows({key: amounts}, owner=owner)

    async def add_usage_rows(self, rows: Mapping[str, Mapping[str, float]], *, owner: UserId) -> None:
        added = [(owner, key, counter, amount) for key, row in rows.items() for counter, amount in row.items()]
        if not all(math.isfinite(amount) for *_, amount in added):
            raise BadInput("a counter takes finite numbers")
        async with self._transaction() as db:
            await db.executemany(ADD, added)

    async def usage(self, key: str, *, owner: UserId) -> dict[str, float]:
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT counter, amount FROM usage WHERE owner = ? AND key = ?", (owner, key)
            )
        return {counter: amount for counter, amount in rows}

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Run a transaction: an exception or a cancellation inside leaves the database as it was."""
        await self._wait_turn()
        try:
            try:
                await self._writer.execute("BEGIN IMMEDIATE")  # inside `try`: SQLite runs it even if this is cancelled
                yield self._writer
                await self._writer.commit()
            except BaseException:
                await self._writer.rollback()
                raise
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error
        finally:
            self._turn.release()

    async def _settle(self) -> None:
        await self._wait_turn()
        try:
            await schema.compact(self._writer)
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error
        finally:
            self._turn.release()

    async def _wait_turn(self) -> None:
        try:
            async with asyncio.timeout(schema.BUSY_S):
                await self._turn.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("the database is too busy") from error
        if self._closed:
            self._turn.release()
            raise StoreUnavailable("the store is closed")

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[aiosqlite.Connection]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        try:
            yield self._reader
        except sqlite3.Error as error:
            raise schema.explain(error, self._path) from error

    @staticmethod
    async def _body(db: aiosqlite.Connection, kind: type[Record], id: str, owner: UserId) -> str | None:
        rows = list(await db.execute_fetchall(GET, (query.table_name(kind), owner, id)))
        return rows[0][0] if rows else None

    @staticmethod
    async def _merge(db: aiosqlite.Connection, old: str, record: Record, owner: UserId) -> str:
        """Write `record` over `old`; fields of `old` that this version does not know stay. Returns the new body."""
        merged = _fields.decode(old) | _fields.decode(msgspec.json.encode(record))
        body = msgspec.json.encode(merged).decode()
        await db.execute(PUT, (query.table_name(type(record)), owner, record.id, body))
        return body

    @staticmethod
    async def _compare(db: aiosqlite.Connection, session: str, again: list[AnyEvent], owner: UserId) -> None:
        """Raise SeqTaken if one of these numbers is stored with other content."""
        if not again:
            return
        rows = await db.execute_fetchall(
            "SELECT body FROM events WHERE owner = ? AND session = ? AND seq BETWEEN ? AND ?",
            (owner, session, log.seq_of(again[0]), log.seq_of(again[-1])),
        )
        same(again, _decode_events([body for (body,) in rows]))


def _decode(kind: type[R], body: str) -> R:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a {query.table_name(kind)} in the database cannot be read: {error}") from error


def _decode_events(bodies: list[str]) -> list[AnyEvent]:
    return log.decode_many(f"[{','.join(bodies)}]")
