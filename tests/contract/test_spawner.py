"""The contract of every Spawner, tested against each way of starting a runner."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.records import Box
from core.spawner import Phase, Poll, Spawner
from tests.contract.places import PLACES, Place, nobody_answers, place
from tests.core.spawner.boxes import box, started

PATIENCE_S = 60.0


@pytest.fixture(params=PLACES)
async def there(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place(request.param, tmp_path) as made:
        yield made


async def until_nobody_answers(there: Place, running: Box) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await nobody_answers(there, running):
            await asyncio.sleep(0.05)


async def test_a_runner_that_was_started_runs_and_answers(there: Place) -> None:
    async with started(there.spawner) as running:
        assert await there.spawner.poll(running) is Poll.RUNNING
        assert await there.read(running) == ""


async def test_a_box_that_was_never_started_is_gone_and_may_be_stopped(there: Place) -> None:
    never = box()
    assert await there.spawner.poll(never) is Poll.GONE
    await there.spawner.stop(never)
    assert await there.spawner.poll(never) is Poll.GONE


@pytest.mark.parametrize(
    "memory",
    [{"pid": "x", "start": 1}, {"pid": -1, "start": 0}, {"dir": 7}, {"object": 7}, {"object": "x", "address": "y"}],
    ids=lambda memory: str(memory),
)
async def test_a_memory_that_makes_no_sense_is_a_runner_that_is_gone(there: Place, memory: dict) -> None:  # type: ignore[type-arg]
    assert await there.spawner.poll(box(**memory)) is Poll.GONE


async def test_a_restarted_web_finds_the_runner_by_what_it_kept_as_json(there: Place) -> None:
    async with started(there.spawner) as running:
        await there.write(running, "something")
        again = box(running.user, running.id, **json.loads(json.dumps(running.spawner_state)))
        later = there.again()
        assert await later.poll(again) is Poll.RUNNING
        assert later.endpoint(again) == there.spawner.endpoint(running)
        assert await there.read(again) == "something"
        await later.stop(again, grace_s=0)
        assert await later.poll(again) is Poll.GONE
        assert await there.spawner.poll(running) is Poll.GONE


async def test_a_stopped_runner_is_gone_and_stopping_it_again_does_no_harm(there: Place) -> None:
    async with started(there.spawner) as running:
        await there.spawner.stop(running, grace_s=0)
        assert await there.spawner.poll(running) is Poll.GONE
        await there.spawner.stop(running, grace_s=0)
        await until_nobody_answers(there, running)


# Without a box around it a runner's processes are known by their user's home only: the pool's order counts.
@pytest.mark.parametrize("there", [name for name in PLACES if name != "none"], indirect=True)
async def test_a_late_stop_of_an_old_box_leaves_the_new_one_alone(there: Place) -> None:
    async with started(there.spawner, id="old") as old:
        await there.spawner.stop(old, grace_s=0)
        async with started(there.spawner, id="new") as new:
            assert await there.spawner.poll(old) is Poll.GONE
            await there.spawner.stop(old, grace_s=0)
            assert await there.spawner.poll(new) is Poll.RUNNING
            assert await there.read(new) == ""


async def test_a_home_outlives_its_boxes_until_the_user_is_forgotten(there: Place) -> None:
    async with started(there.spawner, id="first") as running:
        await there.write(running, "something")
    async with started(there.spawner, id="second") as running:
        assert await there.read(running) == "something"
    await there.spawner.forget(running.user)
    await there.spawner.forget(running.user)
    assert await there.spawner.poll(running) is Poll.GONE
    async with started(there.spawner, id="third") as running:
        assert await there.read(running) == ""


async def test_two_users_are_apart(there: Place) -> None:
    async with started(there.spawner, user="google-1", id="a") as one, started(there.spawner, user="google-2") as two:
        await there.write(one, "of the first")
        assert await there.read(two) == ""
        assert there.spawner.endpoint(one) != there.spawner.endpoint(two)
        await there.spawner.stop(one, grace_s=0)
        await there.spawner.forget(one.user)
        assert await there.spawner.poll(two) is Poll.RUNNING
        assert await there.read(two) == ""


async def test_who_waits_is_told_how_far_it_is(there: Place) -> None:
    told: list[Phase] = []
    asked = box()
    running = box(**await there.spawner.start(asked, told.append))
    assert told
    assert len(set(told)) == len(told), "each once"
    await there.spawner.stop(running, grace_s=0)


async def test_a_start_that_is_called_off_leaves_nothing_running(there: Place) -> None:
    asked, phases = box(), asyncio.Queue[Phase]()
    starting = asyncio.create_task(there.spawner.start(asked, phases.put_nowait))
    await phases.get()
    assert await there.spawner.poll(asked) is Poll.STARTING
    starting.cancel()
    await asyncio.wait({starting})
    assert await there.spawner.poll(asked) is Poll.GONE
    async with started(there.spawner, id="next") as running:
        assert await there.spawner.poll(running) is Poll.RUNNING


async def test_it_says_what_protects_users_from_each_other(there: Place) -> None:
    isolation = there.spawner.isolation()
    assert isolation.name in ("bubblewrap", "none", "kubernetes")
    assert len({layer.number for layer in isolation.layers}) == len(isolation.layers)
    assert all(layer.live or layer.why for layer in isolation.layers)


async def test_no_home_is_overfull_at_first(there: Place) -> None:
    spawner: Spawner = there.spawner
    async with started(spawner) as running:
        assert await spawner.over_quota(running) is False
