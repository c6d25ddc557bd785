"""Runs as a person or a program starts, finds, cancels and repeats them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.domain.errors import BadInput, Conflict, NotFound, TooMuch
from core.domain.records import SYSTEM, Agent, UserId
from core.domain.runs import DRAFT, Alert, AlertKind, OpenRun, Run
from core.domain.states import RunState
from core.runs.deletion import delete_for_agent
from core.runs.transitions import move
from core.services.audit import Audit
from core.services.runs import OPEN_RUNS, Runs
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Place:
    """Runs over a store, with a clock that goes on by itself."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.now = store, NOW
        self.runs = Runs(store, audit=Audit(store), wake=lambda: None, clock=self.clock)

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    async def end(self, run: Run) -> None:
        await self.runs.cancel(run.id, user=ALICE)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        for id in ("a1", "a2"):
            await store.put(Agent(id=id, name="x", draft=False, created_at=NOW, updated_at=NOW), owner=ALICE)
        yield Place(store)


async def test_the_same_key_starts_one_run_and_another_user_has_keys_of_their_own(place: Place) -> None:
    first = await place.runs.start("a1", user=ALICE, input="go", key="k")
    assert await place.runs.start("a1", user=ALICE, input="go", key="k") == first
    assert (await place.runs.start("a1", user=ALICE, input="go")).id != first.id
    await place.store.put(Agent(id="a1", name="x", draft=False, created_at=NOW, updated_at=NOW), owner=BOB)
    assert (await place.runs.start("a1", user=BOB, key="k")).id != first.id


async def test_a_draft_runs_only_if_a_person_says_so(place: Place) -> None:
    await place.store.change(Agent, "a1", owner=ALICE, draft=True)
    with pytest.raises(Conflict) as refused:
        await place.runs.start("a1", user=ALICE)
    assert refused.value.code == "not_published"
    assert (await place.runs.start("a1", user=ALICE, version=DRAFT)).version == DRAFT


async def test_runs_are_found_newest_first_by_agent_state_and_trigger_a_page_at_a_time(place: Place) -> None:
    a, b, c = [await place.runs.start(agent, user=ALICE) for agent in ("a1", "a2", "a1")]
    await place.end(b)

    async def ids(**asked: object) -> list[str]:
        return [run.id for run in await place.runs.page(user=ALICE, **asked)]  # type: ignore[arg-type]

    assert await ids() == [c.id, b.id, a.id]
    assert await ids(agent="a1") == [c.id, a.id]
    assert await ids(state=RunState.CANCELLED) == [b.id]
    assert await ids(agent="a1", state=RunState.QUEUED) == [c.id, a.id]
    assert await ids(trigger=ALICE, state=RunState.CANCELLED) == [b.id]
    assert await ids(trigger="nothing") == []
    assert await ids(limit=2) == [c.id, b.id]
    assert await ids(limit=2, after=b.id) == [a.id]
    assert await ids(above=a.at, below=c.at) == [b.id]
    assert await place.runs.page(user=BOB) == []


async def test_a_cancelled_run_that_had_not_begun_is_over_at_once_and_only_once(place: Place) -> None:
    run = await place.runs.start("a1", user=ALICE)
    assert (await place.runs.cancel(run.id, user=ALICE)).reason == "by_person"
    assert await place.store.find(OpenRun, owner=SYSTEM) == []
    with pytest.raises(Conflict):
        await place.runs.cancel(run.id, user=ALICE)


async def test_a_retry_is_a_run_of_its_own_with_the_same_input_and_two_clicks_are_one(place: Place) -> None:
    run = await place.runs.start("a1", user=ALICE, input={"city": "서울"})
    with pytest.raises(Conflict):
        await place.runs.retry(run.id, user=ALICE)
    await place.end(run)
    again = await place.runs.retry(run.id, user=ALICE)
    assert await place.runs.retry(run.id, user=ALICE) == again
    assert (again.input, again.attempt, again.retry_of) == ({"city": "서울"}, 2, run.id)
    await place.end(again)
    third = await place.runs.retry(again.id, user=ALICE)
    assert (third.attempt, third.retry_of) == (3, run.id)


async def test_a_loop_that_starts_runs_is_told_and_does_not_fill_the_queue(place: Place) -> None:
    for _ in range(OPEN_RUNS):
        await place.runs.start("a1", user=ALICE)
    with pytest.raises(TooMuch) as refused:
        await place.runs.start("a1", user=ALICE)
    assert refused.value.code == "runs_full"


async def test_nobody_else_sees_or_touches_a_run(place: Place) -> None:
    run = await place.runs.start("a1", user=ALICE)
    calls = [place.runs.start("a1", user=BOB), place.runs.get(run.id, user=BOB), place.runs.cancel(run.id, user=BOB),
             place.runs.retry(run.id, user=BOB), place.runs.page(user=BOB, after=run.id)]  # fmt: skip
    for call in calls:
        with pytest.raises(NotFound):
            await call
    assert (await place.runs.get(run.id, user=ALICE)).state is RunState.QUEUED


async def test_input_that_is_too_long_is_refused(place: Place) -> None:
    for given in ({"input": "x" * 60_000}, {"key": "x" * 300}):
        with pytest.raises(BadInput):
            await place.runs.start("a1", user=ALICE, **given)  # type: ignore[arg-type]


async def test_alerts_are_shown_until_they_are_dismissed(place: Place) -> None:
    one = Alert(id="failed-r", kind=AlertKind.FAILED, agent="a1", run="r", at=NOW)
    await place.store.put(one, owner=ALICE)
    assert await place.runs.alerts(user=ALICE) == [one]
    await place.runs.dismiss(one.id, user=BOB)
    assert await place.runs.alerts(user=ALICE) == [one]
    await place.runs.dismiss(one.id, user=ALICE)
    assert await place.runs.alerts(user=ALICE) == []


async def test_with_an_agent_its_runs_go_and_no_others(place: Place) -> None:
    run, other = await place.runs.start("a1", user=ALICE), await place.runs.start("a2", user=ALICE)
    await move(place.store, run.id, RunState.RUNNING, owner=ALICE, now=NOW)
    await delete_for_agent(place.store, "a1", user=ALICE)
    assert [found.id for found in await place.runs.page(user=ALICE)] == [other.id]
    assert [note.id for note in await place.store.find(OpenRun, owner=SYSTEM)] == [other.id]
