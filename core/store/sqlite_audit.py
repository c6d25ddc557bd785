"""The verbs of the embedded store about usage, the audit log and the deletion of whole users."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiosqlite
import msgspec

from core.domain.audit import AuditEntry
from core.domain.errors import BadInput
from core.domain.records import SYSTEM, UserId
from core.store import AFTER_ALL

FORGOTTEN_AT_ONCE = 2000  # events deleted in one transaction, so that other writes do not wait long
SOME_EVENTS = "SELECT rowid FROM events WHERE owner = ? LIMIT ?"


class SqliteAudit(ABC):
    """The half of SqliteStore whose verbs need only a transaction and a reader."""

    @abstractmethod
    def _transaction(self) -> AbstractAsyncContextManager[aiosqlite.Connection]:
        """Run a transaction: all or nothing."""

    @abstractmethod
    def _reading(self) -> AbstractAsyncContextManager[aiosqlite.Connection]:
        """Return the connection for reads."""

    @abstractmethod
    async def _settle(self) -> None:
        """Move everything from the write-ahead log into the database file and remove traces of deleted data."""

    async def usage_of(self, keys: Sequence[str], *, owner: UserId) -> dict[str, dict[str, float]]:
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT key, counter, amount FROM usage WHERE owner = ? AND key IN (SELECT value FROM json_each(?))",
                (owner, msgspec.json.encode(keys).decode()),
            )
        return _by_key(rows)

    async def all_usage(self, *, owner: UserId, prefix: str = "") -> dict[str, dict[str, float]]:
        wanted = (owner, prefix, prefix + AFTER_ALL)
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT key, counter, amount FROM usage WHERE owner = ? AND key >= ? AND key < ?", wanted
            )
        return _by_key(rows)

    async def add_audit_entry(self, act: AuditEntry) -> int:
        async with self._transaction() as db:
            cursor = await db.execute("INSERT INTO audit (body) VALUES (?)", (msgspec.json.encode(act).decode(),))
            return int(cursor.lastrowid or 0)

    async def audit_entries(self, *, before: int = 0, limit: int = 100) -> list[AuditEntry]:
        async with self._reading() as db:
            rows = await db.execute_fetchall(
                "SELECT seq, body FROM audit WHERE seq < ? OR ? = 0 ORDER BY seq DESC LIMIT ?", (before, before, limit)
            )
        return [msgspec.structs.replace(msgspec.json.decode(body, type=AuditEntry), seq=seq) for seq, body in rows]

    async def forget(self, owner: UserId) -> None:
        if owner in ("", SYSTEM):
            raise BadInput("the platform itself is nobody to forget")
        gone = FORGOTTEN_AT_ONCE
        while gone == FORGOTTEN_AT_ONCE:
            async with self._transaction() as db:
                cursor = await db.execute(
                    f"DELETE FROM events WHERE rowid IN ({SOME_EVENTS})",  # noqa: S608  # a constant of ours
                    (owner, FORGOTTEN_AT_ONCE),
                )
                gone = cursor.rowcount
        async with self._transaction() as db:
            await db.execute("DELETE FROM usage WHERE owner = ?", (owner,))
            await db.execute("DELETE FROM message_owners WHERE owner = ?", (owner,))
            await db.execute("DELETE FROM records WHERE owner = ?", (owner,))
            await db.execute("DELETE FROM records WHERE owner = ? AND kind = 'user' AND id = ?", (SYSTEM, owner))
            await db.execute(
                "DELETE FROM records WHERE owner = ? AND json_extract(body, '$.user') = ?", (SYSTEM, owner)
            )
        await self._settle()


def _by_key(rows: Iterable[Any]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for key, counter, amount in rows:
        found.setdefault(key, {})[counter] = amount
    return found
