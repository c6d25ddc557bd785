"""A run's row follows its session's log, however the events are cut into batches and however often they come."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Parked,
    Text,
    ToolCalled,
    TurnFinished,
    Usage,
    UserSaid,
    numbered,
)
from core.domain.records import SYSTEM, Session, UserId
from core.domain.runs import Alert, OpenRun, Run, TriggerKind
from core.domain.states import RunState
from core.runs.projection import follow_run, followed
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 2, tzinfo=UTC)
SAID = UserSaid(message_id="run-r1", text="go")
ANSWER = Text(message="a", block=0, text="Seven invoices were filed. All is well.")
OK = TurnFinished(outcome="ok", cost_usd=0.25, usage=Usage(input_tokens=10, output_tokens=5))
ASKED = Asked(request_id="q1", kind="permission", tool="Bash", input={"command": "rm x"})
YES = Answered(request_id="q1", decision="allow")
LOST = TurnFinished(outcome="interrupted", reason="runner_lost")


def run(state: RunState = RunState.RUNNING) -> Run:
    kind = TriggerKind.PERSON
    return Run(
        id="r1",
        agent="a1",
        session="s1",
        trigger_kind=kind,
        trigger="",
        at=DAY,
        created_at=DAY,
        started_at=DAY,
        state=state,
    )


def log(*events: AnyEvent) -> list[AnyEvent]:
    return [numbered(event, seq=n, at=DAY + timedelta(seconds=n)) for n, event in enumerate(events, 1)]


SESSION = Session(id="s1", agent="a1", run="r1", kind="run", created_at=DAY, updated_at=DAY)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        await store.create(run(), owner=ALICE)
        await store.create(OpenRun(id="r1", user=ALICE, agent="a1", created_at=DAY, not_before=DAY), owner=SYSTEM)
        yield store


async def after(store: SqliteStore, *events: AnyEvent) -> Run:
    await follow_run(store, SESSION, log(*events), owner=ALICE)
    return await store.get(Run, "r1", owner=ALICE)


async def test_a_turn_that_ended_well_with_an_answer_is_a_success_with_its_figures(store: SqliteStore) -> None:
    ended = await after(store, SAID, ToolCalled(id="t", name="Write", input={"file_path": "out.md"}), ANSWER, OK)
    assert (ended.state, ended.reason, ended.result) == (RunState.SUCCEEDED, "ok", "Seven invoices were filed.")
    assert (ended.cost_usd, ended.tokens, ended.files) == (0.25, 15, ("out.md",))
    assert ended.finished_at == DAY + timedelta(seconds=4)
    assert await store.find(OpenRun, owner=SYSTEM) == []
    assert await store.find(Alert, owner=ALICE) == []


async def test_a_turn_that_ended_well_with_nothing_done_is_a_failure_and_in_the_inbox(store: SqliteStore) -> None:
    ended = await after(store, SAID, OK)
    assert (ended.state, ended.reason) == (RunState.FAILED, "no_output")
    assert [(alert.kind, alert.run, alert.reason) for alert in await store.find(Alert, owner=ALICE)] == [
        ("failed", "r1", "no_output")
    ]


async def test_a_run_waits_while_it_asks_and_the_wait_is_counted_apart(store: SqliteStore) -> None:
    waiting = await after(store, SAID, ASKED)
    assert (waiting.state, waiting.asked_at) == (RunState.WAITING, DAY + timedelta(seconds=2))
    ended = await after(store, SAID, ASKED, YES, ANSWER, OK)
    assert (ended.state, ended.waited_s, ended.asked_at) == (RunState.SUCCEEDED, 1.0, None)


async def test_a_run_whose_box_dies_while_it_asks_goes_on_waiting_and_an_answer_goes_on_with_it(
    store: SqliteStore,
) -> None:
    parked = (SAID, ASKED, Parked(request_id="q1"), LOST)
    assert (await after(store, *parked)).state is RunState.WAITING
    assert (await after(store, *parked, YES)).state is RunState.RUNNING
    assert (await after(store, *parked, YES, ANSWER, OK)).state is RunState.SUCCEEDED


async def test_a_run_whose_box_dies_while_it_works_has_failed(store: SqliteStore) -> None:
    assert (await after(store, SAID, ANSWER, LOST)).reason == "runner_lost"


async def test_what_is_said_in_its_session_after_its_end_is_no_matter_of_the_run(store: SqliteStore) -> None:
    ended = await after(store, SAID, ANSWER, OK)
    more = (SAID, ANSWER, OK, UserSaid(message_id="m2", text="more"), ASKED, LOST)
    assert await after(store, *more) == ended


@pytest.mark.parametrize("seed", range(25))
def test_batches_cut_anywhere_and_told_again_come_to_the_same(seed: int) -> None:
    chance = random.Random(seed)
    events = log(SAID, ANSWER, ASKED, Parked(request_id="q1"), LOST, YES, ToolCalled(id="t", name="Bash", input={}), OK)
    whole = {**_state(run()), **followed(run(), events)}
    row, at = run(), 0
    while at < len(events):
        then = chance.randint(at + 1, len(events))
        batch = events[chance.randint(0, at) : then]  # some of it again
        row = type(row)(**{**_state(row), **followed(row, batch)})
        assert followed(row, batch) == {}
        at = then
    assert _state(row) == whole


def _state(row: Run) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


async def test_a_session_of_no_run_and_a_run_that_was_deleted_are_passed_over(store: SqliteStore) -> None:
    plain = Session(id="s2", agent="a1", created_at=DAY, updated_at=DAY)
    await follow_run(store, plain, log(SAID, OK), owner=ALICE)
    await store.delete(Run, "r1", owner=ALICE)
    await follow_run(store, SESSION, log(SAID, OK), owner=ALICE)
    assert await store.find(Run, owner=ALICE) == []
