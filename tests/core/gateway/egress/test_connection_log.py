"""The log of connections: equal ones of a moment are one row, and there are only so many rows."""

import asyncio

import pytest

from core.domain.records import Connection, Record, UserId, now
from core.gateway.egress.connection_log import TRIM_EVERY, ConnectionLog, new_id
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness
from tests.timeouts import PATIENCE_S


def row(host: str) -> Connection:
    return Connection(
        id=new_id(), agent="a1", session="s1", host=host, port=443, decision="connected", sent_bytes=2, updated_at=now()
    )


async def test_equal_connections_of_a_moment_are_added_up(harness: GatewayHarness) -> None:
    ledger = ConnectionLog(harness.store)
    for host in ("a.com", "b.com", "a.com", "a.com"):
        ledger.record(row(host), owner=ALICE)
    await ledger.close()
    rows = await harness.store.find(Connection, owner=ALICE)
    assert sorted((r.host, r.times, r.sent_bytes) for r in rows) == [("a.com", 3, 6), ("b.com", 1, 2)]


async def test_what_is_being_written_at_the_end_is_written(
    harness: GatewayHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing, create = asyncio.Event(), harness.store.create

    async def slow(record: Record, *, owner: UserId) -> None:
        writing.set()
        await asyncio.sleep(0.01)
        await create(record, owner=owner)

    monkeypatch.setattr(harness.store, "create", slow)
    ledger = ConnectionLog(harness.store)
    for number in range(10):
        ledger.record(row(f"h{number}.com"), owner=ALICE)
    async with asyncio.timeout(PATIENCE_S):
        await writing.wait()
        await ledger.close()
    assert len(await harness.store.find(Connection, owner=ALICE)) == 10


async def test_a_row_that_cannot_be_kept_is_not_the_end_of_the_log(harness: GatewayHarness) -> None:
    ledger, there = ConnectionLog(harness.store), row("there.com")
    await harness.store.create(there, owner=ALICE)
    ledger.record(there, owner=ALICE)
    ledger.record(row("next.com"), owner=ALICE)
    await ledger.close()
    assert {r.host for r in await harness.store.find(Connection, owner=ALICE)} == {"there.com", "next.com"}


async def test_the_oldest_rows_make_room(harness: GatewayHarness) -> None:
    ledger = ConnectionLog(harness.store, kept=20)
    for number in range(2 * TRIM_EVERY + 1):
        ledger.record(row(f"h{number}.com"), owner=ALICE)
    await ledger.close()
    rows = await harness.store.find(Connection, owner=ALICE, limit=1000)
    assert {r.host for r in rows} == {f"h{number}.com" for number in range(2 * TRIM_EVERY - 19, 2 * TRIM_EVERY + 1)}
