"""Schedules as a person makes, changes, pauses and deletes them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import BadInput, Conflict, NotFound
from core.domain.records import SYSTEM, Agent, UserId
from core.domain.schedules import NEVER, DueSlot, Schedule, Trigger
from core.services.audit import Audit
from core.services.schedules import SCHEDULES, Schedules
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
NOW = datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
HOURLY = Schedule(cron="0 * * * *")


class Place:
    """Schedules over a store, and how often the loop was woken."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.woken = store, 0
        self.schedules = Schedules(store, audit=Audit(store), wake=self.wake, clock=lambda: NOW)

    def wake(self) -> None:
        self.woken += 1

    async def due(self, trigger: Trigger) -> datetime:
        return (await self.store.get(DueSlot, trigger.id, owner=SYSTEM)).due_at


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        await store.put(Agent(id="a1", name="x", draft=False, created_at=NOW, updated_at=NOW), owner=ALICE)
        yield Place(store)


async def test_a_schedule_is_due_from_the_moment_it_is_made(place: Place) -> None:
    trigger = await place.schedules.create("a1", Schedule(cron=" 0  9 * * 1-5 ", timezone="Asia/Seoul"), user=ALICE)
    assert trigger.schedule.cron == "0 9 * * 1-5"
    assert await place.due(trigger) == datetime(2026, 11, 3, 0, tzinfo=UTC)
    assert place.schedules.upcoming(trigger, count=2)[1] == datetime(2026, 11, 4, 0, tzinfo=UTC)
    assert place.woken == 1


async def test_a_change_is_in_force_from_the_next_slot_on(place: Place) -> None:
    trigger = await place.schedules.create("a1", HOURLY, user=ALICE)
    changed = await place.schedules.change(trigger.id, user=ALICE, schedule=Schedule(cron="45 8 * * *"), input="go")
    assert (changed.input, await place.due(trigger)) == ("go", NOW + timedelta(minutes=15))
    assert await place.schedules.get(trigger.id, user=ALICE) == changed


async def test_a_schedule_can_be_made_paused_and_says_who_paused_it_and_why(place: Place) -> None:
    trigger = await place.schedules.create("a1", HOURLY, user=ALICE, enabled=False)
    assert (trigger.paused_by, await place.due(trigger)) == (ALICE, NEVER)
    await place.schedules.resume(trigger.id, user=ALICE)
    assert await place.due(trigger) == NOW + timedelta(minutes=30)
    paused = await place.schedules.pause(trigger.id, user=ALICE, why=" on\n holiday ")
    assert (paused.paused_by, paused.paused_why, paused.paused_at) == (ALICE, "on holiday", NOW)
    assert place.schedules.upcoming(paused) == []
    await place.schedules.change(trigger.id, user=ALICE, jitter_s=60)
    assert await place.due(trigger) == NEVER


async def test_a_deleted_schedule_is_not_due_any_more(place: Place) -> None:
    trigger = await place.schedules.create("a1", HOURLY, user=ALICE)
    await place.schedules.delete(trigger.id, user=ALICE)
    assert await place.store.find(DueSlot, owner=SYSTEM) == []
    with pytest.raises(NotFound):
        await place.schedules.resume(trigger.id, user=ALICE)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"schedule": Schedule(cron="nonsense")}, "bad_cron"),
        ({"schedule": Schedule(at=NOW - timedelta(minutes=1))}, "never_due"),
        ({"schedule": HOURLY, "jitter_s": -1}, "bad_schedule"),
        ({"schedule": HOURLY, "jitter_s": 10**6}, "bad_schedule"),
        ({"schedule": HOURLY, "input": "x" * 60_000}, "bad_message"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    place: Place, given: dict[str, Any], code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await place.schedules.create("a1", user=ALICE, **given)
    assert refused.value.code == code
    assert await place.store.find(DueSlot, owner=SYSTEM) == []


async def test_an_agent_has_so_many_schedules_and_no_more(place: Place) -> None:
    for _ in range(SCHEDULES):
        await place.schedules.create("a1", HOURLY, user=ALICE)
    with pytest.raises(Conflict):
        await place.schedules.create("a1", HOURLY, user=ALICE)


async def test_nobody_else_sees_or_touches_a_schedule(place: Place) -> None:
    trigger = await place.schedules.create("a1", HOURLY, user=ALICE)
    calls = [
        place.schedules.create("a1", HOURLY, user=BOB), place.schedules.get(trigger.id, user=BOB),
        place.schedules.change(trigger.id, user=BOB, input="x"), place.schedules.pause(trigger.id, user=BOB),
        place.schedules.resume(trigger.id, user=BOB), place.schedules.delete(trigger.id, user=BOB),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(NotFound):
            await call
    assert await place.schedules.all(user=BOB) == await place.schedules.of_agent("a1", user=BOB) == []
    assert await place.schedules.all(user=ALICE) == [trigger]


def test_a_preview_makes_nothing(place: Place) -> None:
    assert place.schedules.preview(HOURLY, count=2) == [NOW + timedelta(minutes=30), NOW + timedelta(minutes=90)]
    with pytest.raises(BadInput):
        place.schedules.preview(Schedule(cron="0 0 31 2 *"))
