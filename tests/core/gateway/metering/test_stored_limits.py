"""A user's limits, as the gateway's meter asks for them before each call."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.domain.agent_inputs import AgentLimits
from core.domain.errors import BadInput
from core.domain.limits import Limits, Quota
from core.domain.records import SYSTEM, Agent, Session, UserId
from core.gateway.metering.limits import SpendGuard
from core.gateway.metering.stored_limits import StoredLimits
from core.runs.limits import change_limits, limits_in_force, limits_of
from core.store.sqlite import SqliteStore

ALICE, BOB = UserId("google-1"), UserId("google-2")
DAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        for id, run in (("chat", ""), ("work", "r1")):
            session = Session(id=id, agent="a1", run=run, created_at=DAY, updated_at=DAY)
            await store.put(session, owner=ALICE)
        yield store


def call(session: str, user: UserId = ALICE) -> Any:
    return SimpleNamespace(user=user, agent="a1", session=session)


async def test_a_limit_of_runs_holds_in_runs_only_and_the_others_everywhere(store: SqliteStore) -> None:
    limits = StoredLimits(store)
    assert await limits.of(call("work")) == []
    await change_limits(store, Limits(run_usd=0.1, agent_month_usd=5, user_month_usd=20), user=ALICE)
    assert [(one.scope, one.usd) for one in await limits.of(call("work"))] == [("run", 0.1), ("agent", 5), ("user", 20)]
    assert [one.scope for one in await limits.of(call("chat"))] == ["agent", "user"]
    assert await limits.of(call("work", BOB)) == []
    assert await limits_of(store, BOB) == Limits()


async def test_the_smaller_limit_of_user_and_agent_holds_and_a_quota_of_ones_own_before_the_platforms(
    store: SqliteStore,
) -> None:
    await change_limits(store, Limits(run_usd=0.5, turns=40, duration_s=600), user=ALICE)
    own = AgentLimits(run_usd=0.7, turns=10, month_usd=3)
    await store.put(Agent(id="a1", limits=own, created_at=DAY, updated_at=DAY), owner=ALICE)
    await change_limits(store, Quota(user_month_usd=20, platform_month_usd=100), user=SYSTEM)
    found = [(one.scope, one.usd or one.calls) for one in await StoredLimits(store).of(call("work"))]
    assert found == [("run", 0.5), ("turns", 10), ("agent", 3), ("quota", 20), ("platform", 100)]
    assert (await limits_in_force(store, "a1", user=ALICE)).duration_s == 600
    await change_limits(store, Quota(user_month_usd=0), user=ALICE)
    assert [one.scope for one in await StoredLimits(store).of(call("chat"))] == ["agent", "platform"]
    assert [one.usd for one in await StoredLimits(store).of(call("chat", BOB))] == [20, 100]


async def test_a_call_that_would_pass_a_runs_limit_is_refused_before_it_is_made(store: SqliteStore) -> None:
    await change_limits(store, Limits(run_usd=0.1), user=ALICE)
    guard = SpendGuard(store, StoredLimits(store))
    (await guard.admit(call("work"), 0.09)).release()
    with pytest.raises(BadInput) as refused:
        await guard.admit(call("work"), 0.11)
    assert refused.value.code == "spend_limit"
    (await guard.admit(call("chat"), 0.11)).release()
