"""Runs go along the table only, an end is written once, and what follows from it may be done again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.domain.errors import NotFound
from core.domain.records import SYSTEM, UserId
from core.domain.runs import REASONS, Alert, Run, TriggerKind
from core.domain.schedules import ITSELF, NEVER, DueSlot, Schedule, Trigger
from core.domain.states import BORN, ENDED, RunState, may_become
from core.runs.transitions import move, settle
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


def run(n: int, state: RunState = RunState.RUNNING, **more: object) -> Run:
    at = DAY + timedelta(hours=n)
    given = {"trigger": "t1", "trigger_kind": TriggerKind.SCHEDULE, "due_at": at, "reason": ""} | more
    return Run(id=f"r{n}", agent="a1", at=at, created_at=at, state=state, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", list(RunState))
async def test_a_run_goes_where_the_table_says_and_nowhere_else(store: SqliteStore, start: RunState) -> None:
    for n, then in enumerate(RunState):
        await store.put(run(n, start), owner=ALICE)
        reason = next((code for code, state in REASONS.items() if state is then), "")
        moved = await move(store, f"r{n}", then, owner=ALICE, now=DAY, reason=reason)
        assert (moved is not None) is may_become(start, then)
        assert (await store.get(Run, f"r{n}", owner=ALICE)).state is (then if moved else start)


async def test_of_many_who_see_an_end_one_writes_it(store: SqliteStore) -> None:
    await store.put(run(1), owner=ALICE)
    ends = [(RunState.FAILED, "cli_died"), (RunState.CANCELLED, "by_person"), (RunState.SUCCEEDED, "ok")] * 3
    won = await asyncio.gather(*(move(store, "r1", to, owner=ALICE, now=DAY, reason=why) for to, why in ends))
    assert len([one for one in won if one]) == 1


async def test_an_end_without_a_reason_of_its_own_is_a_bug(store: SqliteStore) -> None:
    await store.put(run(1), owner=ALICE)
    for reason in ("", "ok", "made up"):
        with pytest.raises(ValueError, match="reason"):
            await move(store, "r1", RunState.FAILED, owner=ALICE, now=DAY, reason=reason)
    with pytest.raises(NotFound):
        await move(store, "r9", RunState.FAILED, owner=ALICE, now=DAY, reason="cli_died")


async def scheduled(store: SqliteStore, *, counted_from: datetime = DAY) -> None:
    hourly, times = Schedule(cron="0 * * * *"), {"counted_from": counted_from, "created_at": DAY, "updated_at": DAY}
    trigger = Trigger(id="t1", agent="a1", schedule=hourly, pause_after=3, **times)
    await store.put(trigger, owner=ALICE)
    await store.put(DueSlot(id="t1", user=ALICE, agent="a1", due_at=DAY + timedelta(hours=9)), owner=SYSTEM)


async def after(store: SqliteStore, *states: RunState) -> Trigger:
    """The schedule after runs with these ends, newest last, the newest settled twice."""
    for n, state in enumerate(states, 1):
        await store.put(run(n, state, reason="cli_died"), owner=ALICE)
    newest = await store.get(Run, f"r{len(states)}", owner=ALICE)
    for _ in range(2):
        await settle(store, newest, owner=ALICE, now=DAY)
    return await store.get(Trigger, "t1", owner=ALICE)


F, S = RunState.FAILED, RunState.SUCCEEDED


async def test_a_schedule_pauses_itself_after_so_many_failures_in_a_row_and_says_so_once(store: SqliteStore) -> None:
    await scheduled(store)
    trigger = await after(store, S, F, RunState.SKIPPED, F, RunState.MISSED, F)
    assert (trigger.paused_by, trigger.paused_why) == (ITSELF, "cli_died")
    assert (await store.get(DueSlot, "t1", owner=SYSTEM)).due_at == NEVER
    kinds = sorted(alert.kind for alert in await store.find(Alert, owner=ALICE))
    assert kinds == ["failed", "paused"]


@pytest.mark.parametrize("states", [(F, F), (F, F, S, F), (F, F, S)])
async def test_a_success_in_between_or_too_few_failures_leave_it_in_force(
    store: SqliteStore, states: tuple[RunState, ...]
) -> None:
    await scheduled(store)
    assert (await after(store, *states)).enabled


async def test_failures_from_before_it_was_resumed_do_not_count(store: SqliteStore) -> None:
    await scheduled(store, counted_from=DAY + timedelta(hours=2, minutes=30))
    assert (await after(store, F, F, F, F)).enabled


def test_what_has_ended_stays_ended_and_what_begins_can_end() -> None:
    assert not any(may_become(end, then) for end in ENDED for then in RunState)
    assert may_become(RunState.QUEUED, RunState.SKIPPED) and RunState.QUEUED in BORN
