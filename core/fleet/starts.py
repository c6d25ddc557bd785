"""The starts of runners that are under way: at most one per user, shared by all who wait for it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from core.domain.errors import RunnerUnavailable
from core.domain.events import StateChanged
from core.domain.records import UserId, now
from core.domain.states import SessionState
from core.fleet.runner_client import RunnerClient
from core.lib.pubsub import Hub
from core.observability import metrics
from core.spawner import Phase

log = logging.getLogger("oma.runners")

# The codes of spawners for a box that did not start; the metric counts all others as `other`.
REASONS: Final = frozenset(
    {
        *("box_none", "box_lingers", "box_unmade", "box_quota", "box_no_machine", "box_no_volume", "box_unprepared"),
        *("box_ends", "box_forbidden", "box_refused", "cluster_away"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingState:
    """The progress of a start as pages show it: its phase, and when it began."""

    phase: Phase
    since: datetime


News = RunnerClient | WaitingState | None  # a runner that has started, the progress of a start, a start that failed


def progress_event(waiting: WaitingState | None) -> StateChanged:
    """Return the event by which pages show this progress. None means that no start is under way."""
    if waiting is None:
        return StateChanged(state=SessionState.ASLEEP)
    return StateChanged(state=SessionState.STARTING, phase=waiting.phase, at=waiting.since)


class RunnerStarts:
    """The starts under way. A start continues when its waiters leave (a page is closed); only `cancel` ends it."""

    def __init__(self, start: Callable[[UserId], Coroutine[Any, Any, RunnerClient]], news: Hub[News]) -> None:
        self._start, self._news = start, news
        self._tasks: dict[UserId, asyncio.Task[RunnerClient]] = {}
        self._waiting: dict[UserId, WaitingState] = {}
        for phase in Phase:
            metrics.waking.labels(phase.value).set_function(partial(self._count, phase))

    def __iter__(self) -> Iterator[UserId]:
        return iter(list(self._tasks))

    def __contains__(self, user: UserId) -> bool:
        return user in self._tasks

    async def wait(self, user: UserId) -> RunnerClient:
        """Start the user's runner, or join the start under way. Raises what the start raises."""
        if (task := self._tasks.get(user)) is None:
            task = asyncio.create_task(self._start(user), name=f"start {user}")
            self._tasks[user] = task
            task.add_done_callback(partial(self._done, user))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and not _being_cancelled():
                raise RunnerUnavailable("the start was called off: the box, or the platform, is being ended") from None
            raise

    def at(self, user: UserId) -> WaitingState | None:
        """Return the progress of the user's start; None if there is none."""
        return self._waiting.get(user)

    def tell(self, user: UserId, phase: Phase) -> None:
        """Record that the user's start has reached `phase`, and publish that."""
        before = self._waiting.get(user)
        self._waiting[user] = waiting = WaitingState(phase=phase, since=before.since if before else now())
        self._news.publish(user, waiting)

    async def cancel(self, user: UserId) -> None:
        """Cancel the user's start, if there is one, and wait until it has cleaned up."""
        if task := self._tasks.get(user):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _done(self, user: UserId, task: asyncio.Task[RunnerClient]) -> None:
        del self._tasks[user]
        if self._waiting.pop(user, None):
            self._news.publish(user, None)
        if not task.cancelled() and (error := task.exception()):  # logged also if nobody waits for it
            log.info("%s: %s", task.get_name(), error)
            code = getattr(error, "code", "")
            metrics.box_failures.labels(code if code in REASONS else "other").inc()

    def _count(self, phase: Phase) -> int:
        return sum(waiting.phase is phase for waiting in self._waiting.values())


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return bool(task and task.cancelling())
