"""Tests that an agent's schedules are deleted with it, and nothing of another user's agent of the same id."""

from datetime import UTC, datetime
from pathlib import Path

from core.domain.records import SYSTEM, UserId
from core.domain.schedules import DueSlot, Schedule, Trigger
from core.runs.deletion import delete_for_agent
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
DAY = datetime(2026, 11, 2, tzinfo=UTC)


async def test_the_schedules_of_an_agent_go_with_it(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        for user in (ALICE, BOB):
            trigger = Trigger(id=f"t-{user}", agent="a1", schedule=Schedule(cron="0 9 * * *"), counted_from=DAY,
                              created_at=DAY, updated_at=DAY)  # fmt: skip
            await store.put(trigger, owner=user)
            await store.put(DueSlot(id=trigger.id, user=user, agent="a1", due_at=DAY), owner=SYSTEM)
        await delete_for_agent(store, "a1", user=ALICE)
        assert await store.find(Trigger, owner=ALICE) == []
        assert len(await store.find(Trigger, owner=BOB)) == 1
        assert [slot.user for slot in await store.find(DueSlot, owner=SYSTEM)] == [BOB]
