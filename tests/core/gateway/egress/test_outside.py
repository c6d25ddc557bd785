"""Looking up names neither blocks nor piles up, and a dialled address is an address."""

import asyncio
import threading

import pytest

from core.gateway.egress.outside import Lookups, Rows, dial
from tests.core.gateway.egress.proxy import echo, server
from tests.core.gateway.egress.world import OTHER, PUBLIC
from tests.patience import PATIENCE_S


def rows(*addresses: str) -> Rows:
    return [(0, 0, 0, "", (address, 0)) for address in addresses]


async def test_a_name_has_each_of_its_addresses_once() -> None:
    assert await Lookups(ask=lambda _: rows(PUBLIC, OTHER, PUBLIC)).resolve("example.com") == [PUBLIC, OTHER]


async def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(OSError, match="label"):
        await Lookups().resolve("x" * 64)  # so long that nobody is asked


async def test_only_so_many_names_are_looked_up_at_once() -> None:
    held = threading.Event()

    def slow(_: str) -> Rows:
        held.wait(PATIENCE_S)
        return rows(PUBLIC)

    lookups = Lookups(at_once=1, ask=slow)
    first = asyncio.create_task(lookups.resolve("a.com"))
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many"):
        await lookups.resolve("b.com")
    held.set()
    assert await first == [PUBLIC]
    assert await lookups.resolve("b.com") == [PUBLIC]


async def test_a_dialled_address_is_connected() -> None:
    async with server(echo) as port:
        end = await dial("127.0.0.1", port)
        end.close()
        await asyncio.wait_for(asyncio.shield(end.closed), PATIENCE_S)
    with pytest.raises(OSError):
        await dial("127.0.0.1", port)
