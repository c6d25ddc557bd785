"""The log of outbound connections for users. Equal ones of a moment are added up; the oldest rows are deleted."""

import asyncio
import logging
import secrets
from collections import Counter

import msgspec

from core.domain.errors import PlatformError
from core.domain.records import Connection, UserId
from core.observability import metrics
from core.store import Store

log = logging.getLogger("oma.egress")

KEPT = 1000  # of one user, and up to TRIM_EVERY more until the next trim
GATHER_S = 0.5  # a page load is dozens of connections to one host: one row, one write
WAITING = 2000  # different rows that may wait for the store
TRIM_EVERY = 100  # rows written

Key = tuple[str, ...]


class ConnectionLog:
    """Writes rows in a task of its own: `record` never waits, `close` writes what is left."""

    def __init__(self, store: Store, *, kept: int = KEPT) -> None:
        self._store, self._kept = store, kept
        self._waiting: dict[Key, tuple[UserId, Connection]] = {}
        self._written: Counter[UserId] = Counter()
        self._due, self._writing = asyncio.Event(), asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        metrics.queue_depth.labels("outbound_log").set_function(lambda: len(self._waiting))

    def record(self, row: Connection, *, owner: UserId) -> None:
        """Add a row to what will be written; equal rows of the same moment become one with their sums."""
        metrics.egress.labels(row.decision).inc(row.times)
        metrics.egress_bytes.labels("sent").inc(row.sent_bytes)
        metrics.egress_bytes.labels("received").inc(row.received_bytes)
        key = (owner, row.session, row.host, str(row.port), row.address, row.decision, row.reason)
        if same := self._waiting.get(key):
            self._waiting[key] = (owner, _sum(same[1], row))
        elif len(self._waiting) < WAITING:
            self._waiting[key] = (owner, row)
        else:
            log.warning("a connection of %s to %s is not in the log: the store is too slow", owner, row.host)
        self._due.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._write_all(), name="outbound log")

    async def close(self) -> None:
        if self._task:
            async with self._writing:  # the batch under way is written
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._flush()

    async def _write_all(self) -> None:
        while True:
            await self._due.wait()
            await asyncio.sleep(GATHER_S)
            self._due.clear()
            await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            rows, self._waiting = self._waiting, {}
            for owner, row in rows.values():
                try:
                    await self._write(row, owner)
                except PlatformError as error:  # one bad row must not stop the others
                    log.warning("a connection of %s to %s is not in the log: %s", owner, row.host, error)

    async def _write(self, row: Connection, owner: UserId) -> None:
        await self._store.create(row, owner=owner)
        self._written[owner] += 1
        if self._written[owner] % TRIM_EVERY == 1:
            await self._trim(owner)

    async def _trim(self, owner: UserId) -> None:
        rows = await self._store.find(
            Connection, owner=owner, newest_by="updated_at", limit=self._kept + 2 * TRIM_EVERY
        )
        for row in rows[self._kept :]:
            await self._store.delete(Connection, row.id, owner=owner)


def new_id() -> str:
    """Return a random id for a row."""
    return secrets.token_hex(8)


def _sum(one: Connection, other: Connection) -> Connection:
    return msgspec.structs.replace(
        one,
        times=one.times + other.times,
        sent_bytes=one.sent_bytes + other.sent_bytes,
        received_bytes=one.received_bytes + other.received_bytes,
        seconds=max(one.seconds, other.seconds),
        updated_at=other.updated_at,
    )
