"""The use cases of schedules: create, change, pause, resume, delete, preview."""

import secrets
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from typing import Any

from msgspec.structs import replace

from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NotFound
from core.domain.records import SYSTEM, Agent, UserId, now
from core.domain.run_inputs import checked_values
from core.domain.schedules import (
    MAX_JITTER_S,
    MAX_PAUSE_AFTER,
    NEVER,
    PAUSE_AFTER,
    CatchUp,
    DueSlot,
    Overlap,
    Schedule,
    Trigger,
    check,
    next_after,
    upcoming,
)
from core.runs import transitions
from core.services.audit import Audit
from core.services.runs import INPUT_CHARS
from core.store import Store

SCHEDULES = 50  # of one agent
PREVIEW = 5
MANY = 1000


class Schedules:
    """Use cases over the Store. Every call names the user as owner, which is the permission check."""

    def __init__(
        self, store: Store, *, audit: Audit, wake: Callable[[], None], clock: Callable[[], datetime] = now
    ) -> None:
        self._store, self._audit, self._wake, self._clock = store, audit, wake, clock

    async def create_once(self, key: str, agent: str, schedule: Schedule, *, user: UserId, input: str) -> Trigger:
        """Create a schedule, or return the one that was made with the same `key`. Raises: as `create`."""
        id = sha256(f"{user}\0{key}".encode()).hexdigest()[:16]
        try:
            return await self.get(id, user=user)
        except NotFound:
            return await self.create(agent, schedule, user=user, input=input, id=id)

    async def create(
        self,
        agent: str,
        schedule: Schedule,
        *,
        user: UserId,
        input: dict[str, Any] | str = "",
        overlap: Overlap = Overlap.SKIP,
        catch_up: CatchUp = CatchUp.LAST,
        jitter_s: int = 0,
        pause_after: int = PAUSE_AFTER,
        enabled: bool = True,
        id: str = "",
    ) -> Trigger:
        """Create a schedule. Raises: NotFound: the agent. BadInput: a value is invalid. Conflict: the agent has too
        many.
        """
        inputs = (await self._store.get(Agent, agent, owner=user)).inputs
        if await self._store.count(Trigger, owner=user, where={"agent": agent}) >= SCHEDULES:
            raise Conflict(f"an agent has at most {SCHEDULES} schedules", code="too_many_schedules")
        at = self._clock()
        trigger = Trigger(
            id=id or secrets.token_hex(8),
            agent=agent,
            schedule=self._checked(schedule, at),
            input=checked_values(inputs, input),
            overlap=overlap,
            catch_up=catch_up,
            jitter_s=jitter_s,
            pause_after=pause_after,
            paused_by="" if enabled else user,
            paused_at=None if enabled else at,
            counted_from=at,
            created_at=at,
            updated_at=at,
        )
        _check_values(trigger)
        await self._with_due_slot(trigger, user, lambda: self._store.create(trigger, owner=user))
        await self._audit.record(AuditAction.SCHEDULE_CHANGED, who=user, about=agent, detail=f"created {trigger.id}")
        return trigger

    async def change(self, trigger: str, *, user: UserId, **fields: Any) -> Trigger:
        """Set some of schedule, input, overlap, catch_up, jitter_s, pause_after; they apply from the next slot on.

        Raises: NotFound. BadInput.
        """
        found = await self.get(trigger, user=user)
        at = self._clock()
        if "schedule" in fields:
            fields["schedule"] = self._checked(fields["schedule"], at)
        if "input" in fields:
            inputs = (await self._store.get(Agent, found.agent, owner=user)).inputs
            fields["input"] = checked_values(inputs, fields["input"])
        changed = replace(found, updated_at=at, **fields)
        _check_values(changed)
        await self._with_due_slot(
            changed, user, lambda: self._store.change(Trigger, trigger, owner=user, updated_at=at, **fields)
        )
        await self._audit.record(AuditAction.SCHEDULE_CHANGED, who=user, about=found.agent, detail=f"changed {trigger}")
        return changed

    async def pause(self, trigger: str, *, user: UserId, why: str = "") -> Trigger:
        """Pause a schedule. Raises: NotFound."""
        found = await self.get(trigger, user=user)
        paused = await transitions.pause(
            self._store, found, owner=user, by=user, why=" ".join(why.split())[:200], now=self._clock()
        )
        await self._audit.record(AuditAction.SCHEDULE_CHANGED, who=user, about=found.agent, detail=f"paused {trigger}")
        return paused

    async def resume(self, trigger: str, *, user: UserId) -> Trigger:
        """Resume a schedule from now on; failures count anew. Raises: NotFound."""
        found = await self.get(trigger, user=user)
        at = self._clock()
        fields: dict[str, Any] = {"paused_by": "", "paused_why": "", "paused_at": None, "counted_from": at}
        resumed = replace(found, updated_at=at, **fields)
        await self._with_due_slot(
            resumed, user, lambda: self._store.change(Trigger, trigger, owner=user, updated_at=at, **fields)
        )
        await self._audit.record(AuditAction.SCHEDULE_CHANGED, who=user, about=found.agent, detail=f"resumed {trigger}")
        return resumed

    async def delete(self, trigger: str, *, user: UserId) -> None:
        """Delete a schedule; its runs stay. Raises: NotFound."""
        found = await self.get(trigger, user=user)
        await self._store.delete(Trigger, trigger, owner=user)
        await self._store.delete(DueSlot, trigger, owner=SYSTEM)
        await self._audit.record(AuditAction.SCHEDULE_CHANGED, who=user, about=found.agent, detail=f"deleted {trigger}")

    async def get(self, trigger: str, *, user: UserId) -> Trigger:
        """Return a schedule. Raises: NotFound."""
        return await self._store.get(Trigger, trigger, owner=user)

    async def of_agent(self, agent: str, *, user: UserId) -> list[Trigger]:
        """Return an agent's schedules, ordered by id."""
        return await self._store.find(Trigger, owner=user, where={"agent": agent}, limit=MANY)

    async def all(self, *, user: UserId) -> list[Trigger]:
        """Return the schedules of all the user's agents."""
        return await self._store.find(Trigger, owner=user, limit=MANY)

    def preview(self, schedule: Schedule, *, count: int = PREVIEW) -> list[datetime]:
        """Return the next times of a schedule that a person is typing. Raises: BadInput: it is invalid."""
        return upcoming(check(schedule), self._clock(), count=count)

    def upcoming(self, trigger: Trigger, *, count: int = PREVIEW) -> list[datetime]:
        """Return the next times of an active schedule; none while it is paused."""
        return upcoming(trigger.schedule, self._clock(), count=count) if trigger.enabled else []

    def _checked(self, schedule: Schedule, at: datetime) -> Schedule:
        checked = check(schedule)
        if next_after(checked, at) is None:
            raise BadInput("this time has passed", code="never_due")
        return checked

    async def _with_due_slot(self, trigger: Trigger, user: UserId, write: Callable[[], Any]) -> None:
        """Write a schedule with its next slot. The slot is written before the schedule and again after it: a process
        that is killed in between leaves a slot without a schedule, which is swept, and never a schedule without a slot.
        """
        due_at = (next_after(trigger.schedule, self._clock()) if trigger.enabled else None) or NEVER
        slot = DueSlot(id=trigger.id, user=user, agent=trigger.agent, due_at=due_at)
        await self._store.put(slot, owner=SYSTEM)
        try:
            await write()
        except NotFound:
            await self._store.delete(DueSlot, trigger.id, owner=SYSTEM)
            raise
        await self._store.put(slot, owner=SYSTEM)
        self._wake()


def _check_values(trigger: Trigger) -> None:
    if not 0 <= trigger.jitter_s <= MAX_JITTER_S:
        raise BadInput(f"the jitter is 0 to {MAX_JITTER_S} seconds", code="bad_schedule")
    if not 0 <= trigger.pause_after <= MAX_PAUSE_AFTER:
        raise BadInput(f"a schedule pauses after 0 to {MAX_PAUSE_AFTER} failures", code="bad_schedule")
    if len(str(trigger.input)) > INPUT_CHARS:
        raise BadInput(f"an input has at most {INPUT_CHARS} characters", code="bad_message")
