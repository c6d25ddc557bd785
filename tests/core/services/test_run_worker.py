"""Open runs begin in fair order, start once whatever happens, and end truly when no log can tell."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import RunnerUnavailable
from core.domain.events import Asked, Text, TurnFinished, UserSaid, numbered
from core.domain.records import SYSTEM, Agent, Request, Session, Unattended, UserId
from core.domain.runs import OpenRun, Run, TriggerKind, admitted, place_in_queue
from core.domain.states import RunState, SessionState
from core.runs.projection import follow_run
from core.services.audit import Audit
from core.services.run_worker import GIVEN_UP, LONGEST, ORPHAN, QUIET, START, RunWorker
from core.services.runs import Runs
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
START_OF_TEST = datetime(2026, 11, 2, tzinfo=UTC)


class Messenger:
    """Records the worker's messages; it refuses while no runner is available."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.stopped: list[str] = []
        self.refuse = False

    async def say(self, session: str, *, user: UserId, text: str, message_id: str, via: str = "web") -> int:
        if self.refuse:
            raise RunnerUnavailable("no room")
        self.said.append((message_id, text))
        return 1

    async def interrupt(self, session: str, *, user: UserId) -> None:
        self.stopped.append(session)


class Place:
    """A store, a clock that the test moves, and webs that work on it."""

    def __init__(self, store: SqliteStore) -> None:
        self.store, self.now, self.messenger = store, START_OF_TEST, Messenger()
        self.held: set[UserId] = set()
        self.runs = Runs(store, audit=Audit(store), wake=lambda: None, clock=lambda: self.now)
        self.worker = self.web()

    def web(self) -> RunWorker:
        return RunWorker(
            self.store, messenger=self.messenger, is_held=lambda user: user in self.held, per_user=2, platform=3,
            clock=lambda: self.now,
        )  # fmt: skip

    async def round(self, **later: float) -> None:
        self.now += timedelta(**later)
        await self.worker.poll_once()
        await self.worker.at_rest()

    async def run(self, user: UserId = ALICE, **more: Any) -> Run:
        self.now += timedelta(seconds=1)
        return await self.runs.start("a1", user=user, input="go", **more)

    async def see(self, run: Run, user: UserId = ALICE) -> Run:
        return await self.runs.get(run.id, user=user)

    async def tell(self, run: Run, *events: Any) -> None:
        """Events of its session, as the gateway stores and follows them."""
        session = await self.store.get(Session, (await self.see(run)).session, owner=ALICE)
        first = session.last_seq + 1
        told = [numbered(event, seq=first + n, at=self.now) for n, event in enumerate(events)]
        await self.store.append(session.id, told, owner=ALICE)
        await follow_run(self.store, session, told, owner=ALICE)
        changes = {"last_seq": first + len(events) - 1, "updated_at": self.now}
        await self.store.change(Session, session.id, owner=ALICE, state=SessionState.BUSY, **changes)  # type: ignore[arg-type]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        for user in (ALICE, BOB):
            at = START_OF_TEST
            await store.put(Agent(id="a1", name="x", draft=False, created_at=at, updated_at=at), owner=user)
        place = Place(store)
        yield place
        await place.worker.close()


def note(id: str, user: str, *, phase: RunState = RunState.QUEUED, trigger: str = "", at: int = 0) -> OpenRun:
    moment = START_OF_TEST + timedelta(seconds=at)
    return OpenRun(
        id=id, user=UserId(user), agent="a", trigger=trigger, phase=phase, created_at=moment, not_before=moment
    )


def test_runs_begin_fairly_within_the_bounds_of_user_and_platform() -> None:
    queue = [note(f"a{n}", "a", at=n) for n in range(5)] + [note("b0", "b", at=9), note("c0", "c", at=10)]

    def begin(*, per_user: int, platform: int) -> list[str]:
        now = START_OF_TEST + timedelta(hours=1)
        return [one.id for one in admitted(queue, now=now, per_user=per_user, platform=platform)]

    assert begin(per_user=2, platform=10) == ["a0", "b0", "c0", "a1"]
    assert begin(per_user=5, platform=3) == ["a0", "b0", "c0"]
    queue.append(note("b1", "b", phase=RunState.RUNNING))
    assert begin(per_user=1, platform=10) == ["a0", "c0"]
    assert begin(per_user=2, platform=1) == []


def test_of_one_schedule_one_run_works_at_a_time_and_jitter_is_waited_for() -> None:
    now = START_OF_TEST + timedelta(seconds=30)
    waiting = note("t0", "a", phase=RunState.WAITING, trigger="t")
    queue = [waiting, note("t1", "a", trigger="t"), note("u1", "a", trigger="u"), note("u2", "a", trigger="u"),
             note("late", "a", at=60)]  # fmt: skip
    assert [one.id for one in admitted(queue, now=now, per_user=9, platform=9)] == ["u1"]


def test_the_place_in_the_queue_counts_who_begins_before() -> None:
    queue = [note("a0", "a", at=0), note("a1", "a", at=1), note("b0", "b", at=2)]
    assert [place_in_queue(id, queue) for id in ("a0", "b0", "a1", "other")] == [1, 2, 3, 0]


async def test_a_run_begins_its_session_with_its_words_once(place: Place) -> None:
    run = await place.run()
    assert (run.state, await place.runs.place(run)) == (RunState.QUEUED, 1)
    await place.round()
    begun = await place.see(run)
    assert begun.state is RunState.RUNNING
    assert place.messenger.said == [(f"run-{run.id}", "go")]
    assert (await place.store.get(Session, begun.session, owner=ALICE)).run == run.id
    await place.round()
    assert len(place.messenger.said) == 1


async def test_two_webs_that_look_at_once_begin_no_more_than_there_is_room_for(place: Place) -> None:
    for _ in range(4):
        await place.run()
        await place.run(BOB)
    other = place.web()
    for _ in range(3):
        await place.round()
        await other.poll_once()
        await other.at_rest()
    running = await place.store.count(OpenRun, owner=SYSTEM, where={"phase": RunState.RUNNING})
    assert running == 3 == len({said for said, _ in place.messenger.said})


async def test_a_run_that_waits_gives_its_place_to_another(place: Place) -> None:
    runs = [await place.run() for _ in range(3)]
    await place.round()
    assert (await place.see(runs[2])).state is RunState.QUEUED
    await place.tell(runs[0], UserSaid(message_id="m", text="go"), Asked(request_id="q", kind="permission"))
    await place.round()
    await place.round()
    assert (await place.see(runs[2])).state is RunState.RUNNING


async def test_a_web_that_dies_at_any_step_of_the_start_is_made_good_by_the_next(place: Place) -> None:
    run = await place.run()
    await place.store.change(OpenRun, run.id, owner=SYSTEM, phase=RunState.RUNNING)  # admitted, and no more
    await place.round()
    assert len(place.messenger.said) == 1
    again = await place.run()
    await place.store.change(OpenRun, again.id, owner=SYSTEM, phase=RunState.RUNNING)
    changes = {"state": RunState.RUNNING, "session": "s", "started_at": place.now}
    await place.store.change(Run, again.id, owner=ALICE, **changes)  # type: ignore[arg-type]  # begun, and not said
    await place.round()
    assert [said for said, _ in place.messenger.said] == [f"run-{run.id}", f"run-{again.id}"]


async def test_a_run_that_cannot_be_started_is_tried_again_and_then_fails_with_the_reason(place: Place) -> None:
    run = await place.run()
    place.messenger.refuse = True
    await place.round()
    assert (await place.see(run)).state is RunState.RUNNING
    await place.round(seconds=START.total_seconds() + 1)
    failed = await place.see(run)
    assert (failed.state, failed.reason) == (RunState.FAILED, "not_started")
    assert "no room" in failed.detail
    assert await place.store.find(OpenRun, owner=SYSTEM) == []


async def test_a_run_whose_box_nobody_holds_is_woken_and_one_that_works_is_left_alone(place: Place) -> None:
    run = await place.run()
    await place.round()
    await place.tell(run, UserSaid(message_id="m", text="go"))
    place.held.add(ALICE)
    await place.round(seconds=QUIET.total_seconds() + 1)
    assert len(place.messenger.said) == 1
    place.held.clear()
    await place.round()
    assert len(place.messenger.said) == 2


async def test_a_run_that_its_recovery_gave_up_fails(place: Place) -> None:
    run = await place.run()
    await place.round()
    await place.tell(run, UserSaid(message_id="m", text="go"))
    session = (await place.see(run)).session
    await place.store.change(Session, session, owner=ALICE, state=SessionState.FAILED)
    await place.round(seconds=GIVEN_UP.total_seconds() + 1)
    assert (await place.see(run)).reason == "runner_lost"


async def test_an_end_that_is_stored_and_was_not_followed_is_found(place: Place) -> None:
    run = await place.run()
    await place.round()
    session = (await place.see(run)).session
    events = [UserSaid(message_id="m", text="go"), Text(message="a", block=0, text="done"), TurnFinished(outcome="ok")]
    await place.store.append(session, [numbered(e, seq=n) for n, e in enumerate(events, 1)], owner=ALICE)
    await place.store.change(Session, session, owner=ALICE, last_seq=3, state=SessionState.IDLE)
    await place.round()
    assert (await place.see(run)).state is RunState.SUCCEEDED


async def test_a_run_that_nobody_answers_in_time_fails_is_stopped_and_leaves_the_inbox(place: Place) -> None:
    await place.store.change(Agent, "a1", owner=ALICE, unattended=Unattended(ask_deadline_s=3600))
    run = await place.run()
    await place.round()
    await place.tell(run, UserSaid(message_id="m", text="go"), Asked(request_id="q", kind="permission"))
    session = (await place.see(run)).session
    entry = Request(id="q", agent="a1", session=session, kind="permission", asked_at=place.now)
    await place.store.put(entry, owner=ALICE)
    await place.round(minutes=59)
    assert (await place.see(run)).state is RunState.WAITING
    await place.round(minutes=2)
    assert ((await place.see(run)).state, (await place.see(run)).reason) == (RunState.FAILED, "nobody_answered")
    assert place.messenger.stopped == [session]
    assert await place.store.find(Request, owner=ALICE) == []


async def test_a_run_that_works_for_too_long_is_stopped(place: Place) -> None:
    run = await place.run()
    await place.round()
    await place.tell(run, UserSaid(message_id="m", text="go"))
    place.held.add(ALICE)
    await place.round(seconds=LONGEST.total_seconds() + 1)
    assert (await place.see(run)).reason == "over_time"
    assert len(place.messenger.stopped) == 1


async def test_a_cancelled_run_is_stopped_also_by_the_next_web(place: Place) -> None:
    run = await place.run()
    await place.round()
    await place.tell(run, UserSaid(message_id="m", text="go"))
    assert (await place.runs.cancel(run.id, user=ALICE)).state is RunState.CANCELLED
    await place.round()
    assert len(place.messenger.stopped) == 1
    assert await place.store.find(OpenRun, owner=SYSTEM) == []


async def test_a_note_without_a_row_is_swept_but_not_while_one_is_being_written(place: Place) -> None:
    await place.store.put(note("r", ALICE, phase=RunState.RUNNING), owner=SYSTEM)
    await place.round()
    assert await place.store.count(OpenRun, owner=SYSTEM) == 1
    await place.round(seconds=ORPHAN.total_seconds() + 1)
    assert await place.store.count(OpenRun, owner=SYSTEM) == 0


async def test_a_schedules_run_has_its_words_or_asks_for_the_agents_own_work(place: Place) -> None:
    await place.runs.start("a1", user=ALICE, input={"city": "서울", "days": 3}, kind=TriggerKind.API)
    await place.round()
    await place.runs.start("a1", user=ALICE)
    await place.round()
    assert [text for _, text in place.messenger.said] == ["city: 서울\ndays: 3", "지금 할 일을 해 주세요."]
