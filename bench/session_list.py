"""P14: the newest sessions of an agent, read out of a hundred thousand that one user has."""

import tempfile
import time
from datetime import timedelta
from pathlib import Path

import msgspec

from bench.figures import Figure, figure
from bench.setup import Stage
from core.domain.records import Session, UserId, now
from core.store.query import table_name
from core.store.rows import Row
from core.store.sqlite import SqliteStore
from core.store.sqlite_rows import SqliteRows

SESSIONS, AGENTS, GROUP = 100_000, 20, 5_000
LISTED = 50  # as many as a page shows at once
READS = 20
OWNER = UserId("local-owner")


async def sessions(_: Stage) -> dict[str, Figure]:
    """Measure one `find` in milliseconds, for all agents of the user and for one of them."""
    with tempfile.TemporaryDirectory(prefix="oma-bench-list-") as folder:
        async with await SqliteStore.open(Path(folder, "oma.db")) as store:
            await _fill(store)
            return {
                "P14_sessions_out_of_100000": figure(await _reads(store, {}), budget="p50 ≤ 50"),
                "P14_sessions_of_one_agent": figure(await _reads(store, {"agent": "a7"}), budget="p50 ≤ 50"),
            }


async def _fill(store: SqliteStore) -> None:
    began, kind = now(), table_name(Session)
    rows = []
    for number in range(SESSIONS):
        at = began - timedelta(seconds=number)
        session = Session(id=f"s{number}", agent=f"a{number % AGENTS}", title="정리", created_at=at, updated_at=at)
        rows.append(Row(kind=kind, id=session.id, body=msgspec.json.encode(session)))
    for first in range(0, SESSIONS, GROUP):
        await SqliteRows(store).write_records(rows[first : first + GROUP], owner=OWNER)


async def _reads(store: SqliteStore, where: dict[str, str]) -> list[float]:
    samples = []
    for _ in range(READS):
        began = time.perf_counter()
        found = await store.find(Session, owner=OWNER, where=where, newest_by="updated_at", limit=LISTED)
        samples.append((time.perf_counter() - began) * 1000)
        assert len(found) == LISTED
    return samples
