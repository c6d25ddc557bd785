"""Writes a run's row for every due slot of a schedule. Any web process may do it.

There is no leader and no lock. The id of a slot's row follows from the slot, so `Store.create` succeeds only once.
After that the schedule's next slot is set by compare-and-set. If a process is killed in between, the slot is still due;
the next round finds the row and only sets the next slot.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from core.domain.errors import Conflict, NotFound, PlatformError
from core.domain.records import SYSTEM, Agent, UserId, now
from core.domain.runs import OpenRun, Run, TriggerKind, run_id_of_slot
from core.domain.schedules import LATE_S, NEVER, CatchUp, DueSlot, Overlap, Trigger, caught_up, next_after, not_before
from core.domain.states import RunState
from core.runs.transitions import is_open, move, note_last_run
from core.services.runs import enter, write_row
from core.store import Store

log = logging.getLogger("oma.runs")

AT_ONCE = 200  # schedules of one round
SIDE_BY_SIDE = 8  # schedules handled at the same time
ORPHAN = timedelta(seconds=60)  # a younger slot without a schedule may belong to one that is just being written
LONGEST_QUEUE = 100  # open runs of one schedule whose overlap policy is to queue


class Scheduler:
    """The scheduler of a web process; it holds no state."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = now) -> None:
        self._store, self._clock = store, clock

    async def poll_once(self) -> int:
        """Write the rows of all due slots. Returns the number of schedules that got a new next slot."""
        moment = self._clock()
        due = await self._store.find(
            DueSlot, owner=SYSTEM, oldest_by="due_at", below=moment + timedelta(microseconds=1), limit=AT_ONCE
        )
        room = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(slot: DueSlot) -> bool:
            async with room:
                try:
                    return await self._handle(slot, moment)
                except PlatformError as error:  # one schedule's error must not stop all others
                    log.warning("slot %s of schedule %s: %s", slot.due_at, slot.id, error)
                    return False

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(slot)) for slot in due]
        return sum(task.result() for task in tasks)

    async def next_due(self) -> datetime | None:
        """Return when the earliest slot of all schedules is due; None if no schedule is active."""
        first = await self._store.find(DueSlot, owner=SYSTEM, oldest_by="due_at", below=NEVER, limit=1)
        return first[0].due_at if first else None

    async def _handle(self, slot: DueSlot, moment: datetime) -> bool:
        try:
            trigger = await self._store.get(Trigger, slot.id, owner=slot.user)
        except NotFound:
            if moment - slot.due_at > ORPHAN:
                await self._store.delete(DueSlot, slot.id, owner=SYSTEM)
            return False
        then = NEVER
        if trigger.enabled:
            await self._write(trigger, slot, moment)
            then = next_after(trigger.schedule, slot.due_at) or NEVER
        try:
            await self._store.change(DueSlot, slot.id, owner=SYSTEM, expect={"due_at": slot.due_at}, due_at=then)
        except (Conflict, NotFound):
            pass  # another web has set the next slot, or the schedule was changed or deleted
        return True

    async def _write(self, trigger: Trigger, slot: DueSlot, moment: datetime) -> None:
        """Write the row of a slot: queued, or missed or skipped with the reason."""
        user, id = slot.user, run_id_of_slot(trigger.id, slot.due_at)
        run = Run(
            id=id,
            agent=trigger.agent,
            trigger_kind=TriggerKind.SCHEDULE,
            trigger=trigger.id,
            at=slot.due_at,
            due_at=slot.due_at,
            not_before=not_before(trigger, slot.due_at),
            created_at=moment,
            input=trigger.input,
        )
        previous = await self._open_runs(trigger, user, but=id, moment=moment)
        state, reason, version = await self._initial_state(trigger, slot, previous, moment)
        run = msgspec.structs.replace(run, version=version)
        if state is RunState.QUEUED:
            await enter(self._store, run, user=user)
            if trigger.overlap is Overlap.CANCEL_PREVIOUS:
                for one in previous:
                    await move(self._store, one.id, RunState.CANCELLED, owner=user, now=moment, reason="by_next_slot")
        else:
            ended = msgspec.structs.replace(run, state=state, reason=reason, finished_at=moment)
            if await write_row(self._store, ended, user=user):
                await note_last_run(self._store, ended, owner=user, now=moment)

    async def _initial_state(
        self, trigger: Trigger, slot: DueSlot, previous: list[Run], moment: datetime
    ) -> tuple[RunState, str, int]:
        """Return the state in which a slot's run begins, the reason code if it is not queued, and its version."""
        if late := caught_up(trigger, slot.due_at, moment):
            return RunState.MISSED, late, 0
        try:
            agent = await self._store.get(Agent, trigger.agent, owner=slot.user)
        except NotFound:
            return RunState.SKIPPED, "agent_gone", 0
        if agent.archived or agent.draft:
            return RunState.SKIPPED, "agent_archived" if agent.archived else "not_published", agent.published
        on_time = moment - slot.due_at <= timedelta(seconds=LATE_S)
        if previous and trigger.overlap is Overlap.SKIP and (on_time or trigger.catch_up is not CatchUp.ALL):
            return RunState.SKIPPED, "overlap", agent.published
        if len(previous) >= LONGEST_QUEUE:
            return RunState.SKIPPED, "queue_full", agent.published
        return RunState.QUEUED, "", agent.published

    async def _open_runs(self, trigger: Trigger, user: UserId, *, but: str, moment: datetime) -> list[Run]:
        """Return this schedule's runs that have not ended, judged by their own rows: an OpenRun row may be
        left over.
        """
        open_runs = await self._store.find(
            OpenRun, owner=SYSTEM, where={"trigger": trigger.id}, limit=LONGEST_QUEUE + 1
        )
        found = []
        for open_run in open_runs:
            if open_run.id != but:
                try:
                    run = await self._store.get(Run, open_run.id, owner=user)
                except NotFound:
                    continue  # being written at this moment, or never
                if is_open(run):
                    found.append(run)
        return found
