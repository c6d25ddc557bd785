"""A list says how an agent's last run ended, whichever of two ends is written later."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from core.domain.notifications import Notification
from core.domain.records import SYSTEM, UserId
from core.domain.runs import Alert, LastRun, OpenRun, Run, TriggerKind
from core.domain.states import RunState
from core.runs.transitions import note_last_run, settle
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 2, tzinfo=UTC)


def run(id: str, state: RunState, minutes: int) -> Run:
    at = DAY + timedelta(minutes=minutes)
    return Run(id=id, agent="a1", trigger_kind=TriggerKind.PERSON, trigger=ALICE, at=DAY, created_at=DAY, state=state,
               reason="ok", result=f"result of {id}", finished_at=at)  # fmt: skip


async def test_the_run_that_ended_last_is_the_last_run(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        await settle(store, run("new", RunState.SUCCEEDED, 9), owner=ALICE, now=DAY)
        await settle(store, run("old", RunState.CANCELLED, 5), owner=ALICE, now=DAY)
        assert (await store.get(LastRun, "a1", owner=ALICE)).result == "result of new"
        await note_last_run(store, run("missed", RunState.MISSED, 10), owner=ALICE, now=DAY)
        assert (await store.get(LastRun, "a1", owner=ALICE)).state is RunState.MISSED


async def test_the_run_of_a_test_case_tells_nobody_how_the_agent_works(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        await settle(store, run("worked", RunState.SUCCEEDED, 1), owner=ALICE, now=DAY)
        for n, state in enumerate((RunState.FAILED, RunState.SUCCEEDED), start=2):
            test = replace(run(f"test{n}", state, n), trigger_kind=TriggerKind.TEST, at=DAY + timedelta(minutes=n))
            await store.create(test, owner=ALICE)
            await store.create(
                OpenRun(id=test.id, user=ALICE, agent="a1", created_at=DAY, not_before=DAY), owner=SYSTEM
            )
            await settle(store, test, owner=ALICE, now=DAY)
            assert not await store.find(OpenRun, owner=SYSTEM)
        assert (await store.get(LastRun, "a1", owner=ALICE)).run == "worked"
        later = replace(run("later", RunState.SUCCEEDED, 9), at=DAY + timedelta(minutes=9))
        await settle(store, later, owner=ALICE, now=DAY)
        for kind in (Alert, Notification):
            assert not await store.find(kind, owner=ALICE), "nothing has failed, and so nothing has recovered"
