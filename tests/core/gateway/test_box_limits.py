"""A box has its places and no more, whatever it does with them."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from core.domain.errors import TooMuch
from core.gateway.box_limits import CALLS, LARGE_BYTES, LARGE_CALLS, WAITING, BoxLimits


@pytest.mark.parametrize("length", [LARGE_BYTES + 1, None])
async def test_large_bodies_and_those_of_unknown_length_are_fewer(length: int | None) -> None:
    room = BoxLimits(patience_s=0.05)
    async with AsyncExitStack() as stack:
        for _ in range(LARGE_CALLS):
            await stack.enter_async_context(room.model_call_slot(length))
        with pytest.raises(TooMuch):
            await stack.enter_async_context(room.model_call_slot(length))
        for _ in range(CALLS - LARGE_CALLS):
            await stack.enter_async_context(room.model_call_slot(LARGE_BYTES))
        with pytest.raises(TooMuch):
            await stack.enter_async_context(room.model_call_slot(1))
    async with room.model_call_slot(None), room.model_call_slot(1):
        pass


async def test_who_waits_is_served_in_turn_and_who_gives_up_takes_no_place() -> None:
    room, order = BoxLimits(patience_s=5), list[int]()

    async def send(number: int) -> None:
        async with room.batch_slot():
            order.append(number)

    async with room.batch_slot():
        waiting = [asyncio.create_task(send(number)) for number in range(4)]
        await asyncio.sleep(0)
        waiting.pop(1).cancel()
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    assert order == [0, 2, 3]


async def test_so_many_wait_and_the_next_is_sent_away_at_once() -> None:
    room = BoxLimits(patience_s=60)
    async with room.batch_slot():
        waiting = [asyncio.create_task(room.batch_slot().__aenter__()) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooMuch):
            await asyncio.wait_for(room.batch_slot().__aenter__(), 1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
