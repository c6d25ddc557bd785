"""The gateway counts each call at its own price, before its end is told; and none passes a limit unseen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.domain.errors import BadInput, StoreUnavailable
from core.domain.limits import scope_of_refusal
from core.domain.records import SYSTEM, Role, User, UserId, now
from core.domain.runs import Alert
from core.domain.usage import UsageRow, agent_month_key, days_prefix, month_key, session_key, usage_rows
from core.gateway.metering.limits import SpendLimit
from core.gateway.metering.meter import Meter
from core.gateway.providers import Call
from core.store.sqlite import SqliteStore
from tests.core.gateway.metering.test_answer_usage import sse

ALICE = UserId("google-1")
MODEL = "claude-opus-5"  # US$5 and US$25 a million


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


class Told:
    """Limits that a test has set."""

    def __init__(self, *limits: SpendLimit) -> None:
        self.limits = limits

    async def of(self, call: Call) -> Sequence[SpendLimit]:
        return self.limits


def call(session: str = "s1", *, model: str = MODEL, body_bytes: int = 0) -> Call:
    body = msgspec.json.encode({"model": model, "max_tokens": 100, "x": "x" * body_bytes})
    return Call(user=ALICE, agent="a1", session=session, path="/v1/messages", query="", headers={}, body=body)


async def answered(
    meter: Meter, asked: Call, *, model: str = MODEL, tokens: int = 1_000_000, ends: bool = True
) -> None:
    """A call of so many tokens of input, whose answer ends or breaks off."""
    metered = await meter.admit(asked)
    metered.begins(streams=True)
    usage = {"input_tokens": tokens, "output_tokens": 0}
    await metered.passes(sse(type="message_start", message={"model": model, "usage": usage}))
    if ends:
        await metered.passes(sse(type="message_stop"))
        assert (await meter._store.usage(session_key(asked.session), owner=ALICE))["calls"] >= 1
    await metered.end()
    await metered.end()


async def test_a_call_is_in_all_rows_once_with_the_model_that_answered(store: SqliteStore) -> None:
    meter, today = Meter(store), now()
    await answered(meter, call(model="claude-haiku-4-5"), model=MODEL)
    await answered(meter, call("s2"), model="claude-haiku-4-5-20251001", ends=False)
    found = await store.all_usage(owner=ALICE, prefix=days_prefix(today))
    assert usage_rows(found) == [
        UsageRow(day=today.date(), agent="a1", model="claude-haiku-4-5-20251001", calls=1,
                 input_tokens=1_000_000, cost_usd=1.0),
        UsageRow(day=today.date(), agent="a1", model=MODEL, calls=1, input_tokens=1_000_000, cost_usd=5.0),
    ]  # fmt: skip
    for key, owner, usd in (
        (month_key(today), ALICE, 6.0),
        (agent_month_key("a1", today), ALICE, 6.0),
        (session_key("s1"), ALICE, 5.0),
        (month_key(today), SYSTEM, 6.0),
    ):
        assert (await store.usage(key, owner=owner))["cost_usd"] == usd, key


async def test_a_model_without_a_price_is_unknown_and_not_free(store: SqliteStore) -> None:
    await answered(Meter(store), call(), model="somebody-elses")
    row = await store.usage(session_key("s1"), owner=ALICE)
    assert (row["unpriced_calls"], row["input_tokens"], "cost_usd" in row) == (1, 1_000_000, False)


async def test_the_practice_model_is_free_whatever_name_it_was_asked_by(store: SqliteStore) -> None:
    await answered(Meter(store, provider="practice"), call())
    (row,) = usage_rows(await store.all_usage(owner=ALICE))
    assert (row.model, row.calls, row.cost_usd, row.unpriced_calls) == ("practice", 1, 0.0, 0)


async def test_what_the_store_did_not_take_is_booked_with_the_next_call(store: SqliteStore) -> None:
    class Away:
        away = True

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        async def add_usage_rows(self, rows: Any, *, owner: UserId) -> None:
            if self.away:
                raise StoreUnavailable("away")
            await store.add_usage_rows(rows, owner=owner)

    meter = Meter(away := Away())
    metered = await meter.admit(call())
    metered.begins(streams=False)
    await metered.passes(msgspec.json.encode({"model": MODEL, "usage": {"input_tokens": 1_000_000}}))
    await metered.end()
    assert await store.all_usage(owner=ALICE) == {}
    away.away = False
    await answered(meter, call())
    assert (await store.usage(session_key("s1"), owner=ALICE))["cost_usd"] == 10.0
    await meter.close()
    assert (await store.usage(session_key("s1"), owner=ALICE))["cost_usd"] == 10.0


async def test_a_booking_is_not_lost_with_the_caller_that_hangs_up(store: SqliteStore) -> None:
    meter = Meter(store)
    metered = await meter.admit(call())
    metered.begins(streams=False)
    await metered.passes(msgspec.json.encode({"model": MODEL, "usage": {"input_tokens": 1_000_000}}))
    ending = asyncio.create_task(metered.end())
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    await meter.close()
    assert (await store.usage(session_key("s1"), owner=ALICE))["cost_usd"] == 5.0


@pytest.mark.parametrize("scope", ["run", "agent", "user", "quota", "platform"])
async def test_the_call_that_would_pass_a_limit_is_refused_before_it_is_made(store: SqliteStore, scope: Any) -> None:
    meter = Meter(store, limits=Told(SpendLimit(scope=scope, usd=0.10)))
    made = 0
    with pytest.raises(BadInput) as refused:
        for made in range(20):  # noqa: B007
            await answered(meter, call(), tokens=10_000)  # US$0.05 each
    assert refused.value.code == "spend_limit"
    assert made == 2, "a third one would have passed it"
    await meter.close()
    assert (await store.usage(session_key("s1"), owner=ALICE))["cost_usd"] <= 0.10


async def test_twenty_calls_at_once_pass_a_limit_by_no_more_than_one_call_each(store: SqliteStore) -> None:
    each = 0.05
    meter = Meter(store, limits=Told(SpendLimit(scope="user", usd=0.10)))
    asked = [call(f"s{n}", body_bytes=4 * 10_000) for n in range(20)]  # about what each will cost
    done = await asyncio.gather(*(answered(meter, one, tokens=10_000) for one in asked), return_exceptions=True)
    assert len([one for one in done if isinstance(one, BadInput)]) >= 17
    spent = (await store.usage(month_key(now()), owner=ALICE))["cost_usd"]
    assert 0 < spent <= 0.10 + each
    with pytest.raises(BadInput):
        await meter.admit(asked[0])


async def test_a_call_that_failed_gives_back_what_it_reserved(store: SqliteStore) -> None:
    meter = Meter(store, limits=Told(SpendLimit(scope="user", usd=0.01)))
    for _ in range(50):
        metered = await meter.admit(call(body_bytes=4_000))
        await metered.end()  # the model refused it: nothing passed
    assert await store.all_usage(owner=ALICE) == {}


async def test_a_run_makes_so_many_calls_of_the_model_and_no_more(store: SqliteStore) -> None:
    meter = Meter(store, limits=Told(SpendLimit(scope="turns", calls=3)))
    for _ in range(2):
        await answered(meter, call(), tokens=10)
    under_way = await meter.admit(call())
    with pytest.raises(BadInput) as refused:
        await meter.admit(call())
    assert (refused.value.code, scope_of_refusal(str(refused.value))) == ("max_turns", "turns")
    await under_way.end()
    await answered(meter, call(model="somebody-elses"), model="somebody-elses")  # counted, without a price
    with pytest.raises(BadInput):
        await meter.admit(call())
    await answered(meter, call("another run"), tokens=10)


async def test_two_limits_of_one_month_reserve_a_call_once(store: SqliteStore) -> None:
    limits = Told(SpendLimit(scope="user", usd=0.10), SpendLimit(scope="quota", usd=0.10))
    meter = Meter(store, limits=limits)
    first = await meter.admit(call(body_bytes=4 * 8_000))  # about US$0.04 each
    second = await meter.admit(call(body_bytes=4 * 8_000))
    await first.end()
    await second.end()


@pytest.mark.parametrize("scope", ["agent", "user", "quota", "platform"])
async def test_at_80_and_100_per_cent_of_a_month_the_inbox_says_so_once(store: SqliteStore, scope: Any) -> None:
    admin = User(id=UserId("boss"), issuer="x", subject="y", role=Role.ADMIN, created_at=now(), seen_at=now())
    await store.put(admin, owner=SYSTEM)
    told = UserId("boss") if scope == "platform" else ALICE

    async def alerts() -> set[str]:
        return {one.reason for one in await store.find(Alert, owner=told)}

    meter = Meter(store, limits=Told(SpendLimit(scope=scope, usd=0.10)))
    await answered(meter, call(), tokens=10_000)  # US$0.05
    assert await alerts() == set()
    await answered(meter, call(), tokens=6_000)
    assert await alerts() == {f"{scope}_80"}
    with pytest.raises(BadInput, match=f"spend_limit_{scope}"):
        await meter.admit(call(body_bytes=4 * 10_000))
    assert await alerts() == {f"{scope}_80", f"{scope}_100"}
    for one in await store.find(Alert, owner=told):
        await store.delete(Alert, one.id, owner=told)
    again = Meter(store, limits=Told(SpendLimit(scope=scope, usd=0.10)))  # the gateway has started anew
    with pytest.raises(BadInput):
        await again.admit(call(body_bytes=4 * 10_000))
    assert await alerts() == set(), "what somebody dismissed is not said again"
    await answered(Meter(store, limits=Told(SpendLimit(scope=scope, usd=0.12))), call(), tokens=4_000)
    assert await alerts() == {f"{scope}_80"}, "80 per cent of another limit is another warning"


async def test_a_limit_that_no_price_can_hold_refuses_the_model(store: SqliteStore) -> None:
    meter = Meter(store, limits=Told(SpendLimit(scope="user", usd=100.0)))
    with pytest.raises(BadInput, match="price of this model is not known"):
        await meter.admit(call(model="somebody-elses"))
    await answered(Meter(store), call(model="somebody-elses"))


async def test_last_months_money_does_not_count(store: SqliteStore) -> None:
    before = now().replace(day=1) - timedelta(days=1)
    await store.add_usage(month_key(before), owner=ALICE, cost_usd=1_000.0)
    await answered(Meter(store, limits=Told(SpendLimit(scope="user", usd=0.10))), call(), tokens=10)
