"""Work in the background: kept until it is done, and its failure told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

log = logging.getLogger("oma.tasks")


class Tasks:
    """The tasks of one owner, on its loop."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __iter__(self) -> Iterator[asyncio.Task[None]]:
        return iter(set(self._running))

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Begin it; it is cancelled by `cancel` at the latest."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def cancel(self) -> None:
        """Until none is left."""
        tasks = [*self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task %s failed: %r", task.get_name(), error, exc_info=error)


async def repeat(look: Callable[[], Awaitable[None]], *, every_s: float, name: str) -> None:
    """`look` every so often until cancelled. Whatever goes wrong with one of them is logged, and the next one comes."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await look()
        except Exception:  # one look that failed must not be the last one
            log.exception("%s went wrong this time", name)
