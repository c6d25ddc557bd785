"""Two gateways take batches of one session at the same moment; what follows from them is counted once and in order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from core.domain.errors import Unavailable
from core.domain.events import Answered, AnyEvent, Asked, TurnFinished, numbered, seq_of
from core.domain.records import Request, Session, now
from core.domain.states import SessionState
from core.gateway import ingest
from core.gateway.batch import read_batch
from core.gateway.ingest import Ingest
from core.store.sqlite import SqliteStore
from tests.core.gateway.cluster_gateways import ClusterBoxHttp, ClusterHarness
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness, batch
from tests.core.gateway.test_ingest import SUMS, TURN, counted, logged, metered, month, send


class Slow:
    """A store whose reader of counters waits: between the look and the addition there is time for another gateway."""

    def __init__(self, store: SqliteStore, reached: asyncio.Event, go_on: asyncio.Event) -> None:
        self._store, self._reached, self._go_on = store, reached, go_on

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def usage(self, key: str, *, owner: Any) -> dict[str, float]:
        found = await self._store.usage(key, owner=owner)
        if key.startswith("session/"):
            return found  # asked before the log is written, when nobody has to wait
        self._reached.set()
        await self._go_on.wait()
        return found


@pytest.fixture
async def other(harness: GatewayHarness, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """The same database, opened by another process as far as it can tell."""
    await harness.add_session(ALICE)
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


async def take(store: Any, events: list[AnyEvent]) -> int:
    return (await Ingest(store, shared=True).store(read_batch(batch("s1", events)), owner=ALICE)).acked


async def retried(work: Callable[[], Awaitable[int]]) -> int:
    """Repeat a batch until it is acknowledged, as a runner does."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await work()
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_the_same_turn_at_two_gateways_at_once_is_counted_once(
    harness: GatewayHarness, other: SqliteStore
) -> None:
    await metered(harness)
    reached, go_on = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(take(Slow(harness.store, reached, go_on), logged(*TURN)))
    await asyncio.wait_for(reached.wait(), 30)
    second = asyncio.create_task(retried(lambda: take(other, logged(*TURN))))
    done, _ = await asyncio.wait([second], timeout=0.3)
    assert not done, "it must wait for the one that is at it"
    go_on.set()
    assert await asyncio.gather(first, second) == [6, 6]
    assert await counted(harness.store, month()) == SUMS
    assert (await harness.store.get(Session, "s1", owner=ALICE)).cost_usd == 0.25


async def test_what_was_answered_meanwhile_does_not_come_back_to_the_inbox(
    harness: GatewayHarness, other: SqliteStore
) -> None:
    asked = logged(TURN[0], TurnFinished(outcome="ok"), Asked(request_id="r1", kind="permission", tool="Bash"))
    reached, go_on = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(take(Slow(harness.store, reached, go_on), asked))
    await asyncio.wait_for(reached.wait(), 30)
    more = [*asked, numbered(Answered(request_id="r1", decision="allow", by="me"), seq=4)]
    second = asyncio.create_task(retried(lambda: take(other, more)))
    await asyncio.wait([second], timeout=0.5)  # without a claim it would be done by now
    go_on.set()
    await asyncio.gather(first, second)
    assert await harness.store.find(Request, owner=ALICE) == []
    assert (await harness.store.get(Session, "s1", owner=ALICE)).last_seq == 4


async def test_a_gateway_that_died_in_a_batch_is_waited_for_and_then_gone_on_after(
    harness: GatewayHarness, tmp_path: Path, other: SqliteStore
) -> None:
    await harness.store.append("s1", logged(*TURN), owner=ALICE)
    assert await harness.store.claim("ingest/s1", holder="dead", lease_s=1.0)
    assert await retried(lambda: take(other, logged(*TURN))) == 6
    assert await counted(harness.store, month()) == SUMS


async def test_a_gateway_that_is_at_it_for_too_long_sends_the_runner_away(
    harness: GatewayHarness, other: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "TURN_S", 0.2)
    assert await harness.store.claim("ingest/s1", holder="other", lease_s=60)
    with pytest.raises(Unavailable):
        await take(other, logged(*TURN))
    assert len(await harness.store.events("s1", owner=ALICE)) == 6, "the log itself is kept at once"
    await harness.store.release("ingest/s1", holder="other")
    assert await take(other, logged(*TURN)) == 6
    assert await harness.store.claim("ingest/s1", holder="next", lease_s=60), "nothing is held when it is done"


async def test_batches_over_two_gateways_in_any_order_end_as_over_one(harness: GatewayHarness) -> None:
    cluster = ClusterHarness(harness.settings, harness.store)
    await cluster.add_session(ALICE)
    box = await cluster.cluster_box(ALICE)
    await metered(cluster, 6 * 0.25)
    turns = logged(*[event for _ in range(6) for event in TURN[1:]])
    async with cluster.cluster_gateway() as one, cluster.cluster_gateway() as two:
        lines = [ClusterBoxHttp(one.port, box), ClusterBoxHttp(two.port, box)]

        async def from_(start: int) -> None:
            async with asyncio.timeout(60):
                while (answer := await send(lines[start % 2], turns[start : start + 11]))[0] != 200:
                    assert answer[0] in (409, 503), answer
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(from_(start) for start in range(0, len(turns), 3)))
        assert (await send(lines[0], turns))[1] == {"acked": len(turns)}
    kept = await harness.store.events("s1", owner=ALICE, limit=100)
    assert [seq_of(event) for event in kept] == [seq_of(event) for event in turns]
    assert sum(event.cost_usd for event in kept if isinstance(event, TurnFinished)) == 6 * 0.25
    session = await harness.store.get(Session, "s1", owner=ALICE)
    assert (session.last_seq, session.cost_usd, session.state) == (len(turns), 6 * 0.25, SessionState.IDLE)
    assert await counted(harness.store, month()) == {name: 6 * amount for name, amount in SUMS.items()}
    assert now() >= session.updated_at
