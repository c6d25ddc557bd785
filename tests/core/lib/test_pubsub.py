"""Tests of publish and subscribe with bounded queues."""

import asyncio

import pytest

from core.lib.pubsub import Hub, Lagging


async def test_every_listener_of_a_topic_hears_what_is_said_and_no_other_does() -> None:
    hub: Hub[int] = Hub()
    with hub.listen("a") as one, hub.listen("a") as two, hub.listen("b") as other:
        hub.publish("a", 1)
        assert await anext(one) == await anext(two) == 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(other), 0.01)


async def test_a_listener_that_lags_hears_what_it_has_and_is_then_told_that_it_missed_something() -> None:
    hub: Hub[int] = Hub(size=2)
    with hub.listen("a") as slow:
        for word in range(3):
            hub.publish("a", word)
        assert [await anext(slow), await anext(slow)] == [0, 1]
        with pytest.raises(Lagging):
            await anext(slow)
        hub.publish("a", 9)
        assert await anext(slow) == 9


async def test_nothing_is_kept_of_a_topic_nobody_listens_to() -> None:
    hub: Hub[int] = Hub()
    with hub.listen("a"):
        pass
    hub.publish("a", 1)
    assert not hub._topics
