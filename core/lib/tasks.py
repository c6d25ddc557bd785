"""Background tasks of the event loop: referenced until they are done, with their failures logged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

log = logging.getLogger("oma.tasks")


class Tasks:
    """The background tasks of one owner, on its event loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(set(self._running))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start `work` as a task, which ends by itself or by `cancel`."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def cancel(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = [*self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task %s failed: %r", task.get_name(), error, exc_info=error)


async def repeat(check: Callable[[], Awaitable[None]], *, every_s: float, name: str) -> None:
    """Call `check` every `every_s` seconds until cancelled. An exception of one call is logged and ends nothing."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await check()
        except Exception:  # the next check has to happen all the same
            log.exception("%s went wrong this time", name)
