"""The loops behind unattended work: they write rows for due slots, and work through the open runs."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from core.domain.records import now
from core.lib.tasks import Tasks
from core.services.agent_tests import AgentTestWorker
from core.services.run_worker import RunWorker
from core.services.scheduler import Scheduler

log = logging.getLogger("oma.runs")

REST_S = 5.0  # longest sleep: another web may have added a schedule that is due earlier
BUSY_S = 1.0  # between looks while runs are open
AGAIN_S = 2.0  # after a round that failed, for example because the Store does not answer
SHORTEST_S = 0.2


class BackgroundLoops:
    """Runs the loops of scheduler and worker while the context is open."""

    def __init__(self, scheduler: Scheduler, worker: RunWorker, *, clock: Callable[[], datetime] = now) -> None:
        self._scheduler, self._worker, self._clock = scheduler, worker, clock
        self.tests: AgentTestWorker | None = None
        self._tasks = Tasks()
        self._schedules, self._runs, self._tests = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> "BackgroundLoops":
        self._tasks.spawn(_loop(self._schedule, self._schedules), "schedules")
        self._tasks.spawn(_loop(self._work, self._runs), "runs")
        self._tasks.spawn(_loop(self._test, self._tests), "tests")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._tasks.cancel()
        await self._worker.close()
        if self.tests:
            await self.tests.close()

    def wake(self) -> None:
        """Start the next round of both loops now, because this web has created or changed something."""
        self._schedules.set()
        self._runs.set()
        self._tests.set()

    async def _schedule(self) -> float:
        """Run the scheduler once. Returns the seconds until the next round."""
        if await self._scheduler.poll_once():
            self._runs.set()
            return 0.0
        due = await self._scheduler.next_due()
        return REST_S if due is None else min(max((due - self._clock()).total_seconds(), SHORTEST_S), REST_S)

    async def _work(self) -> float:
        return BUSY_S if await self._worker.poll_once() else REST_S

    async def _test(self) -> float:
        return BUSY_S if self.tests and await self.tests.poll_once() else REST_S


async def _loop(look: Callable[[], Awaitable[float]], wake: asyncio.Event) -> None:
    """Call `look` again and again. Between calls it sleeps as many seconds as `look` returned, or until
    `wake` is set.
    """
    while True:
        try:
            wake.clear()
            rest_s = await look()
        except Exception:  # whatever failed: if this loop ended, no user's schedules would start any more
            log.exception("a round of runs or schedules failed")
            rest_s = AGAIN_S
        try:
            async with asyncio.timeout(rest_s):
                await wake.wait()
        except TimeoutError:
            continue
