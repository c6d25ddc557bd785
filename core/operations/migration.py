"""`python main.py migrate --to firestore|sqlite`: copies everything from one store into the other and compares every
row.

It may be stopped and started again at any moment: rows that exist are not written twice. The source is only read.
During the migration the target holds a claim. A target with rows but without the claim belongs to another platform.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Literal

from core.config.settings import Settings
from core.domain.errors import Conflict, Misconfigured
from core.domain.records import UserId
from core.store import Store
from core.store.factory import DATABASE, open_store, whereabouts
from core.store.rows import Rows, canonical_json
from core.store.sqlite import SqliteStore
from core.store.sqlite_rows import SqliteRows

CLAIM = "migration"
CLAIM_S = 90 * 86400.0


@dataclass(slots=True)
class RowCounts:
    """The number of rows by kind, and a checksum over all rows that does not depend on their order."""

    rows: Counter[str] = field(default_factory=Counter)
    sum: int = 0

    def add(self, sort: str, *names: str | int, body: bytes) -> None:
        self.rows[sort] += 1
        key = "\0".join(map(str, (sort, *names))).encode()
        self.sum = (self.sum + int.from_bytes(sha256(key + b"\0\0" + body).digest()[:16])) % 2**128


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationResult:
    """The result of a migration. `already`: the target equalled the source before anything was done."""

    tally: RowCounts
    source: str
    target: str
    already: bool


async def migrate(settings: Settings, *, to: Literal["firestore", "sqlite"]) -> MigrationResult:
    """Copy all rows to the other store. Raises: Misconfigured, Conflict: not allowed; the target is unchanged."""
    ours, firestore = replace(settings, store="sqlite"), replace(settings, store="firestore")
    source, target = (ours, firestore) if to == "firestore" else (firestore, ours)
    if source.store == "sqlite" and not (settings.data_dir / DATABASE).is_file():
        raise Misconfigured(f"there is no store in {settings.data_dir}")
    async with open_store(source) as old, open_store(target) as new:
        here, there = rows_of(old), rows_of(new)
        already = await _move(here, there, new, name=whereabouts(target), mark=f"from {whereabouts(source)}")
        return MigrationResult(
            tally=await tally(there), source=whereabouts(source), target=whereabouts(target), already=already
        )


async def _move(here: Rows, there: Rows, store: Store, *, name: str, mark: str) -> bool:
    """Copy all rows unless the target has them. Returns True if there was nothing to do."""
    expected = await tally(here)
    found = await tally(there)
    if found == expected:
        await store.release(CLAIM, holder=mark)
        return True
    if not found.rows:
        claimed = await store.claim(CLAIM, holder=mark, lease_s=CLAIM_S)
    else:
        claimed = await _ours(store, mark)
    if not claimed:
        raise Conflict(f"{name} is not empty and differs: migrate only into an empty store")
    await copy(here, there)
    if (copied := await tally(there)) != expected:
        raise Conflict(
            f"the copy differs ({dict(copied.rows)} instead of {dict(expected.rows)}): end the platform everywhere, "
            "and start the migration again"
        )
    await store.release(CLAIM, holder=mark)
    return False


async def _ours(store: Store, mark: str) -> bool:
    """True if the rows in the target come from an earlier attempt of this migration."""
    if await store.claim(CLAIM, holder="nobody", lease_s=0):
        await store.release(CLAIM, holder="nobody")
        return False
    return await store.claim(CLAIM, holder=mark, lease_s=CLAIM_S)


async def copy(here: Rows, there: Rows) -> None:
    """Copy everything, owner by owner; logs from where an earlier copy ended."""
    for owner in await here.owners():
        async for records in here.records(owner):
            await there.write_records(records, owner=owner)
        for session in await here.sessions(owner):
            after = await there.last(session, owner=owner)
            async for lines in here.lines(session, owner=owner, after=after):
                await there.write_lines(session, lines, owner=owner)
        await there.write_counters(await here.counters(owner), owner=owner)
    async for acts in here.audit():
        await there.write_audit(acts)


async def tally(rows: Rows) -> RowCounts:
    """Read all rows and count them."""
    found = RowCounts()
    for owner in await rows.owners():
        await _tally_owner(rows, owner, found)
    async for acts in rows.audit():
        for seq, body in acts:
            found.add("audit", seq, body=body)
    return found


async def _tally_owner(rows: Rows, owner: UserId, found: RowCounts) -> None:
    async for records in rows.records(owner):
        for row in records:
            found.add(row.kind, owner, row.id, body=canonical_json(row.kind, row.body))
    for session in await rows.sessions(owner):
        async for lines in rows.lines(session, owner=owner, after=0):
            for seq, body in lines:
                found.add("events", owner, session, seq, body=body)
    for key, counters in (await rows.counters(owner)).items():
        for name, amount in counters.items():
            found.add("counters", owner, key, name, body=repr(float(amount)).encode())


def rows_of(store: Store) -> Rows:
    """Return the rows of an open store. Raises: Misconfigured: this store cannot be copied."""
    if isinstance(store, SqliteStore):
        return SqliteRows(store)
    from core.store.firestore import FirestoreStore
    from core.store.firestore_rows import FirestoreRows

    if not isinstance(store, FirestoreStore):
        raise Misconfigured("this store cannot be copied")
    return FirestoreRows(store)
