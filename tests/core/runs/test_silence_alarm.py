"""A schedule that nobody serves is noticed by the gateway, once per slot."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.domain.records import SYSTEM, UserId
from core.domain.runs import Alert
from core.domain.schedules import NEVER, DueSlot, Schedule, Trigger
from core.runs.silence_alarm import SILENT, SilenceAlarm
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
DUE = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        times = {"counted_from": DUE, "created_at": DUE, "updated_at": DUE}
        await store.put(Trigger(id="t1", agent="a1", schedule=Schedule(cron="0 * * * *"), **times), owner=ALICE)
        await store.put(DueSlot(id="t1", user=ALICE, agent="a1", due_at=DUE), owner=SYSTEM)
        yield store


async def alerts(store: SqliteStore, *, late: timedelta) -> list[tuple[str, datetime | None]]:
    await SilenceAlarm(store, clock=lambda: DUE + late).look()
    return [(one.kind, one.due_at) for one in await store.find(Alert, owner=ALICE)]


async def test_a_slot_that_nobody_wrote_is_said_in_the_inbox_once(store: SqliteStore) -> None:
    assert await alerts(store, late=SILENT - timedelta(seconds=1)) == []
    for minutes in (1, 2, 60):
        assert await alerts(store, late=SILENT + timedelta(minutes=minutes)) == [("silent", DUE)]


async def test_what_is_written_paused_or_deleted_is_not_silent(store: SqliteStore) -> None:
    await store.change(Trigger, "t1", owner=ALICE, paused_by=ALICE)
    assert await alerts(store, late=timedelta(hours=1)) == []
    await store.change(Trigger, "t1", owner=ALICE, paused_by="")
    await store.change(DueSlot, "t1", owner=SYSTEM, due_at=NEVER)
    assert await alerts(store, late=timedelta(hours=1)) == []
    await store.change(DueSlot, "t1", owner=SYSTEM, due_at=DUE)
    await store.delete(Trigger, "t1", owner=ALICE)
    assert await alerts(store, late=timedelta(hours=1)) == []
