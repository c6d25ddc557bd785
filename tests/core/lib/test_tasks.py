"""Work in the background goes on."""

import asyncio

import pytest

from core.lib.tasks import repeat


async def test_a_look_that_goes_wrong_is_told_and_the_next_one_comes(caplog: pytest.LogCaptureFixture) -> None:
    looks, done = 0, asyncio.Event()

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise KeyError("nobody thought of this")
        done.set()

    looking = asyncio.create_task(repeat(look, every_s=0.001, name="the look"))
    async with asyncio.timeout(5):
        await done.wait()
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert "the look went wrong this time" in caplog.text and "nobody thought of this" in caplog.text
