"""Every slot that is due has exactly one row (G7): with two webs, kills between any two calls, and changes of clock."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from core.domain.errors import StoreUnavailable
from core.domain.records import SYSTEM, Agent, UserId
from core.domain.runs import OpenRun, Run
from core.domain.schedules import NEVER, CatchUp, DueSlot, Overlap, Schedule, Trigger, between
from core.domain.states import RunState
from core.services.audit import Audit
from core.services.scheduler import Scheduler
from core.services.schedules import Schedules
from core.store import Store
from core.store.firestore import FirestoreStore
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
ZONES = ("Asia/Seoul", "America/New_York", "Europe/Dublin")
CRONS = ("0 * * * *", "30 2 * * *", "30 1 * * *", "15 */6 * * *", "0 9 * * 1-5", "45 23 * * *", "0 0 1 * *")


class Killed(Exception):
    """The process is gone: whatever it calls from now on does not happen."""


class MortalStore:
    """A Store whose process is killed before or after one of its calls, by chance."""

    def __init__(self, store: Store, chance: random.Random, *, deadly: float) -> None:
        self._store, self._chance, self._deadly, self._dead = store, chance, deadly, False

    def __getattr__(self, verb: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            if self._dead or self._chance.random() < self._deadly:
                self._dead = True
                raise Killed
            answer = await getattr(self._store, verb)(*args, **more)
            if self._dead or self._chance.random() < self._deadly:
                self._dead = True
                raise Killed
            return answer

        return call


class World:
    """Schedules, a clock that the test moves, and two webs that come and go."""

    def __init__(self, store: Store, *, start: datetime, seed: int = 1) -> None:
        self.store, self.now, self.chance = store, start, random.Random(seed)
        self.schedules = Schedules(store, audit=Audit(store), wake=lambda: None, clock=self.clock)
        self.deaths = 0

    def clock(self) -> datetime:
        return self.now

    async def agent(self, id: str = "a1", **more: Any) -> None:
        at = self.now
        await self.store.put(Agent(id=id, name="x", draft=False, created_at=at, updated_at=at, **more), owner=ALICE)

    async def web(self, *, deadly: float) -> None:
        """Run one round of a web, which may be killed in it."""
        scheduler = Scheduler(MortalStore(self.store, self.chance, deadly=deadly), clock=self.clock)  # type: ignore[arg-type]
        try:
            while await scheduler.poll_once():
                pass
        except* Killed:
            self.deaths += 1

    async def settle(self) -> None:
        scheduler = Scheduler(self.store, clock=self.clock)
        while await scheduler.poll_once():
            pass

    async def rows(self, trigger: Trigger) -> list[Run]:
        return await self.store.find(Run, owner=ALICE, where={"trigger": trigger.id}, oldest_by="at", limit=5000)

    async def live(self, until: datetime, *, longest_step: timedelta) -> None:
        """Both webs look every now and then, at the same time; either may be down for hours or die at any call."""
        while self.now < until:
            step_s = self.chance.randint(20, int(longest_step.total_seconds()))
            self.now = min(until, self.now + timedelta(seconds=step_s))
            webs = [
                self.web(deadly=self.chance.choice([0.0, 0.002, 0.05])) for _ in range(2) if self.chance.random() < 0.6
            ]
            await asyncio.gather(*webs)
        await self.settle()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Store]:
    memory = Path("/dev/shm")
    folder = memory / f"oma-{tmp_path.name}-{random.randrange(10**9)}" if memory.is_dir() else tmp_path
    async with await SqliteStore.open(folder / "oma.db") as store:
        yield store
    if folder is not tmp_path:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


async def a_week(store: Store, *, start: datetime, schedules: int, longest_step: timedelta, seed: int) -> int:
    """The slots of a week, each of which must have its row."""
    world = World(store, start=start, seed=seed)
    await world.agent()
    triggers = []
    for n in range(schedules):
        schedule = Schedule(cron=CRONS[n % len(CRONS)], timezone=ZONES[n % len(ZONES)])
        overlap, catch_up = list(Overlap)[n % 3], list(CatchUp)[n // 3 % 3]
        if n % 50 == 0:
            await world.agent(f"a{n}")
        jitter_s = n % 5 * 60
        triggers.append(
            await world.schedules.create(
                f"a{n // 50 * 50}", schedule, user=ALICE, overlap=overlap, catch_up=catch_up, jitter_s=jitter_s
            )
        )
    await world.live(start + timedelta(days=7), longest_step=longest_step)
    assert world.deaths > 3, "nobody died: nothing was shown"
    slots = 0
    for trigger in triggers:
        due = between(trigger.schedule, start, world.now, limit=5000)
        rows = await world.rows(trigger)
        assert [row.due_at for row in rows] == due, trigger.schedule
        slots += len(due)
        for row in rows:
            assert row.state in (RunState.QUEUED, RunState.MISSED, RunState.SKIPPED, RunState.CANCELLED)
            assert bool(row.reason) is (row.state is not RunState.QUEUED)
            if row.state is RunState.QUEUED:
                assert (await store.get(OpenRun, row.id, owner=SYSTEM)).user == ALICE
    return slots


@pytest.mark.parametrize(
    "start", [datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 10, 29, tzinfo=UTC)], ids=["forward", "back"]
)
async def test_a_week_of_schedules_leaves_one_row_a_slot_with_two_webs_that_die_anywhere(
    sqlite: Store, start: datetime
) -> None:
    slots = await a_week(sqlite, start=start, schedules=100, longest_step=timedelta(hours=8), seed=7)
    assert slots >= 3000


async def test_in_firestore_too(project: str) -> None:
    async with await FirestoreStore.open(project, emulator=True) as store:
        start = datetime(2026, 10, 31, tzinfo=UTC)
        assert await a_week(store, start=start, schedules=6, longest_step=timedelta(hours=18), seed=3) > 100


@pytest.fixture
async def world(sqlite: Store) -> World:
    world = World(sqlite, start=datetime(2026, 11, 2, 8, 30, tzinfo=UTC))
    await world.agent()
    return world


async def one(world: World, cron: str = "0 * * * *", **more: Any) -> Trigger:
    return await world.schedules.create("a1", Schedule(cron=cron), user=ALICE, **more)


def said(rows: list[Run]) -> list[tuple[str, str]]:
    return [(row.state.value, row.reason) for row in rows]


async def pass_by(world: World, **time: float) -> None:
    world.now += timedelta(**time)
    await world.settle()


async def test_what_was_due_while_everything_was_down_is_written_down_by_the_policy(world: World) -> None:
    none, last, every = [await one(world, catch_up=policy) for policy in (CatchUp.NONE, CatchUp.LAST, CatchUp.ALL)]
    await pass_by(world, hours=3)
    assert said(await world.rows(none)) == [("missed", "platform_down")] * 3
    assert said(await world.rows(last)) == [("missed", "superseded")] * 2 + [("queued", "")]
    assert said(await world.rows(every)) == [("queued", "")] * 3


@pytest.mark.parametrize(
    ("overlap", "first", "second"),
    [
        (Overlap.SKIP, ("queued", ""), ("skipped", "overlap")),
        (Overlap.QUEUE, ("queued", ""), ("queued", "")),
        (Overlap.CANCEL_PREVIOUS, ("cancelled", "by_next_slot"), ("queued", "")),
    ],
)
async def test_a_slot_that_is_due_while_the_run_before_it_is_open_follows_the_policy(
    world: World, overlap: Overlap, first: tuple[str, str], second: tuple[str, str]
) -> None:
    trigger = await one(world, overlap=overlap)
    await pass_by(world, minutes=30)
    await pass_by(world, hours=1)
    assert said(await world.rows(trigger)) == [first, second]


@pytest.mark.parametrize(
    ("agent", "reason"), [({"archived": True}, "agent_archived"), ({"draft": True}, "not_published")]
)
async def test_a_slot_of_an_agent_that_may_not_run_is_skipped_with_the_reason(
    world: World, agent: dict[str, Any], reason: str
) -> None:
    trigger = await one(world)
    await world.store.change(Agent, "a1", owner=ALICE, **agent)
    await pass_by(world, minutes=30)
    assert said(await world.rows(trigger)) == [("skipped", reason)]


async def test_a_paused_schedule_is_not_due_and_a_resumed_one_is_from_then_on(world: World) -> None:
    trigger = await one(world)
    await world.schedules.pause(trigger.id, user=ALICE, why="holidays")
    await pass_by(world, hours=5)
    assert await world.rows(trigger) == []
    await world.schedules.resume(trigger.id, user=ALICE)
    await pass_by(world, hours=1)
    assert [row.due_at for row in await world.rows(trigger)] == [datetime(2026, 11, 2, 14, tzinfo=UTC)]


async def test_a_schedule_of_one_time_leaves_one_row_and_is_over(world: World) -> None:
    trigger = await world.schedules.create("a1", Schedule(at=world.now + timedelta(minutes=5)), user=ALICE)
    await pass_by(world, hours=1)
    assert len(await world.rows(trigger)) == 1
    assert (await world.store.get(DueSlot, trigger.id, owner=SYSTEM)).due_at == NEVER
    assert await Scheduler(world.store, clock=world.clock).next_due() is None


async def test_a_slot_without_its_schedule_is_swept_but_not_while_one_is_just_being_made(world: World) -> None:
    slot = DueSlot(id="t", user=ALICE, agent="a1", due_at=world.now)
    await world.store.put(slot, owner=SYSTEM)
    await pass_by(world, seconds=1)
    assert await world.store.find(DueSlot, owner=SYSTEM) == [slot]
    await pass_by(world, minutes=2)
    assert await world.store.find(DueSlot, owner=SYSTEM) == []


async def test_a_schedule_that_is_changed_while_its_slot_is_written_keeps_its_new_time(world: World) -> None:
    trigger = await one(world)
    world.now += timedelta(minutes=30)

    class Changing(MortalStore):
        async def create(self, record: Any, **more: Any) -> None:
            await world.store.create(record, **more)
            if isinstance(record, Run):
                await world.schedules.change(trigger.id, user=ALICE, schedule=Schedule(cron="0 23 * * *"))

    await Scheduler(Changing(world.store, world.chance, deadly=0), clock=world.clock).poll_once()  # type: ignore[arg-type]
    assert (await world.store.get(DueSlot, trigger.id, owner=SYSTEM)).due_at == datetime(2026, 11, 2, 23, tzinfo=UTC)
    assert len(await world.rows(trigger)) == 1


async def test_a_store_that_does_not_answer_loses_no_slot(world: World) -> None:
    trigger = await one(world)
    world.now += timedelta(minutes=30)

    class Deaf(MortalStore):
        async def change(self, *args: Any, **more: Any) -> None:
            raise StoreUnavailable("not now")

    assert await Scheduler(Deaf(world.store, world.chance, deadly=0), clock=world.clock).poll_once() == 0  # type: ignore[arg-type]
    await world.settle()
    assert said(await world.rows(trigger)) == [("queued", "")]


async def test_the_jitter_delays_the_start_and_not_the_row(world: World) -> None:
    trigger = await one(world, jitter_s=600)
    await pass_by(world, minutes=30)
    [row] = await world.rows(trigger)
    assert row.due_at and row.not_before
    assert timedelta(0) < row.not_before - row.due_at <= timedelta(minutes=10)
    assert replace(row, not_before=None).at == row.due_at
