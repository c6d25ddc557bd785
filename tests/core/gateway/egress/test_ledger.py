"""The log of connections: equal ones of a moment are one row, and there are only so many rows."""

from core.gateway.egress.ledger import TRIM_EVERY, Ledger, new_id
from core.model import Outbound, now
from tests.core.gateway.house import ALICE, House


def row(host: str) -> Outbound:
    return Outbound(
        id=new_id(), agent="a1", session="s1", host=host, port=443, decision="connected", sent_bytes=2, updated_at=now()
    )


async def test_equal_connections_of_a_moment_are_added_up(house: House) -> None:
    ledger = Ledger(house.store)
    for host in ("a.com", "b.com", "a.com", "a.com"):
        ledger.note(row(host), owner=ALICE)
    await ledger.close()
    rows = await house.store.find(Outbound, owner=ALICE)
    assert sorted((r.host, r.times, r.sent_bytes) for r in rows) == [("a.com", 3, 6), ("b.com", 1, 2)]


async def test_the_oldest_rows_make_room(house: House) -> None:
    ledger = Ledger(house.store, kept=20)
    for number in range(2 * TRIM_EVERY + 1):
        ledger.note(row(f"h{number}.com"), owner=ALICE)
    await ledger.close()
    rows = await house.store.find(Outbound, owner=ALICE, limit=1000)
    assert {r.host for r in rows} == {f"h{number}.com" for number in range(2 * TRIM_EVERY - 19, 2 * TRIM_EVERY + 1)}
