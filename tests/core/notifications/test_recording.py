"""A fact is recorded once where it is written, for every kind, and nothing is told twice or lost on the way."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import StoreUnavailable
from core.domain.events import Asked, numbered
from core.domain.notifications import Notification, NotificationKind, OutboxNote
from core.domain.records import SYSTEM, Record, Session, UserId
from core.domain.runs import Alert, AlertKind, Run, TriggerKind
from core.domain.states import RunState
from core.gateway.projections import update_records
from core.notifications.recording import notify
from core.runs.deletion import delete_for_agent
from core.runs.transitions import alert, settle
from core.store.sqlite import SqliteStore

ALICE = UserId("google-1")
DAY = datetime(2026, 11, 2, tzinfo=UTC)
K = NotificationKind


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


async def told(store: SqliteStore) -> list[tuple[NotificationKind, str]]:
    found = await store.find(Notification, owner=ALICE)
    return sorted((one.kind, one.id) for one in found)


async def notes(store: SqliteStore) -> list[str]:
    return sorted(note.notification for note in await store.find(OutboxNote, owner=SYSTEM))


def run(n: int, state: RunState, **more: Any) -> Run:
    at = DAY + timedelta(hours=n)
    given = {"trigger": "t1", "trigger_kind": TriggerKind.SCHEDULE, "due_at": at, "reason": "cli_died"} | more
    return Run(id=f"r{n}", agent="a1", at=at, created_at=at, state=state, **given)


async def ended(store: SqliteStore, *runs: Run) -> list[tuple[NotificationKind, str]]:
    """Return what was told after these ends, each of which was seen twice."""
    for one in runs:
        await store.put(one, owner=ALICE)
        for _ in range(2):
            await settle(store, one, owner=ALICE, now=one.at)
    return await told(store)


F, S, C = RunState.FAILED, RunState.SUCCEEDED, RunState.CANCELLED


async def test_a_failure_and_the_first_success_after_it_are_told_once(store: SqliteStore) -> None:
    assert await ended(store, run(1, S)) == []
    assert await ended(store, run(2, F)) == [(K.FAILED, "failed-r2")]
    after = [(K.FAILED, "failed-r2"), (K.RECOVERED, "recovered-r4")]
    assert await ended(store, run(3, C, reason="by_person"), run(4, S), run(5, S)) == after
    assert await notes(store) == ["failed-r2", "recovered-r4"]


async def test_another_schedules_failure_is_no_news_of_this_one(store: SqliteStore) -> None:
    assert await ended(store, run(1, F, trigger="t2"), run(2, S)) == [(K.FAILED, "failed-r1")]
    by_hand = {"due_at": None, "trigger": ALICE, "trigger_kind": TriggerKind.PERSON}
    assert (K.RECOVERED, "recovered-r4") in await ended(store, run(3, F), run(4, S, **by_hand))


async def test_what_is_asked_is_told_with_the_place_of_the_prompt(store: SqliteStore) -> None:
    session = Session(id="s1", agent="a1", created_at=DAY, updated_at=DAY)
    await store.put(session, owner=ALICE)
    asked = numbered(Asked(request_id="q1", kind="permission", tool="Bash", input={"command": "rm x"}, at=DAY), seq=1)
    for _ in range(2):
        await update_records(store, session, [asked], owner=ALICE)
    [one] = await store.find(Notification, owner=ALICE)
    assert (one.kind, one.agent, one.session, one.request, one.line) == (K.NEEDS_YOU, "a1", "s1", "q1", "rm x")


class Cut(SqliteStore):
    """A store whose process dies before it creates a record of this kind."""

    before: type[Record] | None = None

    async def create(self, record: Record, *, owner: UserId) -> None:
        if self.before and isinstance(record, self.before):
            raise StoreUnavailable("cut off")
        await super().create(record, owner=owner)


@pytest.mark.parametrize("before", [Alert, OutboxNote, Notification])
async def test_cut_off_anywhere_it_is_recorded_by_whoever_does_the_work_again(
    tmp_path: Path, before: type[Record]
) -> None:
    async with await Cut.open(tmp_path / "oma.db") as store:
        store.before = before  # type: ignore[attr-defined]
        await store.put(run(1, F), owner=ALICE)
        with pytest.raises(StoreUnavailable):
            await settle(store, run(1, F), owner=ALICE, now=DAY)
        store.before = None  # type: ignore[attr-defined]
        await settle(store, run(1, F), owner=ALICE, now=DAY)
        assert (await told(store), await notes(store)) == ([(K.FAILED, "failed-r1")], ["failed-r1"])


async def test_a_finished_notification_is_not_put_into_the_outbox_again(store: SqliteStore) -> None:
    one = Notification(id="failed-r1", kind=K.FAILED, agent="a1", at=DAY)
    assert await notify(store, one, owner=ALICE)
    await store.delete_where(OutboxNote, owner=SYSTEM, where={"user": ALICE})
    assert not await notify(store, one, owner=ALICE)
    assert await notes(store) == []


async def test_what_was_told_of_an_agent_goes_with_it_and_with_the_account(store: SqliteStore) -> None:
    await notify(store, Notification(id="failed-r1", kind=K.FAILED, agent="a1", at=DAY), owner=ALICE)
    await notify(store, Notification(id="failed-r2", kind=K.FAILED, agent="a2", at=DAY), owner=ALICE)
    await delete_for_agent(store, "a1", user=ALICE)
    assert await told(store) == [(K.FAILED, "failed-r2")]
    await store.forget(ALICE)
    assert (await told(store), await notes(store)) == ([], [])


@pytest.mark.parametrize(("reason", "kind"), [("agent_80", K.BUDGET_80), ("user_100", K.BUDGET_100)])
async def test_a_warning_about_a_limit_is_told_once(store: SqliteStore, reason: str, kind: NotificationKind) -> None:
    one = Alert(id=f"budget-{reason}", kind=AlertKind.BUDGET, agent="a1", reason=reason, at=DAY)
    for _ in range(2):
        await alert(store, one, owner=ALICE)
    [told_of] = await store.find(Notification, owner=ALICE)
    assert (told_of.kind, told_of.agent, told_of.reason) == (kind, "a1", reason)
