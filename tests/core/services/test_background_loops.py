"""The loops: what is made is seen at once, a store that fails is asked again, and nothing to do costs nothing."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from core.domain.errors import StoreUnavailable
from core.services import background_loops
from core.services.background_loops import BackgroundLoops
from tests.timeouts import PATIENCE_S

NOW = datetime(2026, 11, 2, tzinfo=UTC)


class Rounds:
    """A scheduler and a worker that only count how often they are asked."""

    def __init__(self) -> None:
        self.looks, self.rounds, self.failing = 0, 0, False
        self.due: datetime | None = None
        self.looked, self.closed = asyncio.Event(), False

    async def poll_once(self) -> int:
        self.looks += 1
        self.looked.set()
        if self.failing:
            raise StoreUnavailable("not now")
        return 0

    async def next_due(self) -> datetime | None:
        return self.due

    async def close(self) -> None:
        self.closed = True

    async def once(self) -> None:
        await asyncio.wait_for(self.looked.wait(), PATIENCE_S)

    async def again(self) -> None:
        self.looked.clear()
        await asyncio.wait_for(self.looked.wait(), PATIENCE_S)


async def test_what_is_made_is_looked_at_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_loops, "REST_S", 3600.0)
    schedules, runs = Rounds(), Rounds()
    async with BackgroundLoops(schedules, runs, clock=lambda: NOW) as loops:  # type: ignore[arg-type]
        await asyncio.gather(schedules.once(), runs.once())
        waiting = asyncio.gather(schedules.again(), runs.again())
        await asyncio.sleep(0)
        loops.wake()
        await waiting
    assert runs.closed


async def test_a_slot_that_is_due_soon_is_looked_at_when_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_loops, "REST_S", 3600.0)
    schedules = Rounds()
    schedules.due = NOW + timedelta(seconds=0.3)
    async with BackgroundLoops(schedules, Rounds(), clock=lambda: NOW):  # type: ignore[arg-type]
        await schedules.once()
        await schedules.again()


async def test_a_store_that_fails_does_not_end_the_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background_loops, "AGAIN_S", 0.01)
    schedules = Rounds()
    schedules.failing = True
    async with BackgroundLoops(schedules, Rounds(), clock=lambda: NOW):  # type: ignore[arg-type]
        for _ in range(3):
            await schedules.again()
    assert "a round of runs or schedules failed" in caplog.text
    caplog.clear()
