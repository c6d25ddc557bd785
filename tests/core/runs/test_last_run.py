"""A list says how an agent's last run ended, whichever of two ends is written later."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.domain.records import UserId
from core.domain.runs import LastRun, Run, TriggerKind
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
