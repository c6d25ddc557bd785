"""Counting requests costs no more under a flood, and remembers no more than it may."""

import asyncio

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerSecond

from auth.rate import Counts, RateLimiter, SlowDown
from tests.timeouts import PATIENCE_S

FEW = RateLimitItemPerHour(3)


async def refused(rates: RateLimiter, who: str, item: RateLimitItemPerHour = FEW) -> int:
    """The seconds to wait; 0: not refused."""
    try:
        await rates.hit(item, who)
    except SlowDown as error:
        return error.wait_s
    return 0


async def test_each_is_counted_alone_and_told_how_long_to_wait() -> None:
    rates = RateLimiter()
    assert [bool(await refused(rates, "a")) for _ in range(5)] == [False, False, False, True, True]
    assert 1 <= await refused(rates, "a") <= 3600
    assert await refused(rates, "b") == 0


async def test_two_limits_do_not_count_for_each_other() -> None:
    rates = RateLimiter()
    other = RateLimitItemPerHour(3, namespace="other")
    assert [await refused(rates, "a", item) for _ in range(3) for item in (FEW, other)] == [0] * 6


async def test_the_window_slides_on() -> None:
    rates, item = RateLimiter(), RateLimitItemPerSecond(2)
    with pytest.raises(SlowDown):
        for _ in range(10):
            await rates.hit(item, "a")
    await until_taken(rates, item)


async def until_taken(rates: RateLimiter, item: RateLimitItemPerSecond) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await rates.hit(item, "a")
                return
            except SlowDown:
                await asyncio.sleep(0.05)


async def test_what_is_remembered_is_bounded_and_a_refused_flood_adds_nothing() -> None:
    counts = Counts(most=100)
    rates = RateLimiter(counts)
    for n in range(1000):
        await rates.hit(FEW, f"address {n}")
    assert len(counts) == 100
    for _ in range(1000):
        await refused(rates, "one address")
    assert len(counts) == 100
    assert await refused(rates, "one address")


async def test_several_processes_share_what_one_storage_counts() -> None:
    shared = Counts()
    here, there = RateLimiter(shared), RateLimiter(shared)
    for rates in (here, there, here):
        await rates.hit(FEW, "a")
    assert await refused(there, "a")
