"""Moves a run to another state, and does what has to follow from its end.

A run's state is changed by compare-and-set only: if several processes see an end, one of them writes it. `settle` may
run twice and then changes nothing; it deletes the OpenRun row last, so that another process repeats it if this one is
killed in between.
"""

from datetime import datetime
from typing import Any

from core.domain.errors import Conflict, NotFound
from core.domain.notifications import Notification, NotificationKind
from core.domain.records import SYSTEM, UserId
from core.domain.runs import REASONS, Alert, AlertKind, LastRun, OpenRun, Run, TriggerKind
from core.domain.schedules import ITSELF, NEVER, DueSlot, Trigger
from core.domain.states import AT_WORK, ENDED, RunState, may_become
from core.notifications.recording import notify
from core.store import Store

TRIES = 20  # to change a run that other processes change as well
LOOK_BACK = 20  # runs among which the previous one is looked for
COUNTED = (
    RunState.SUCCEEDED,
    RunState.FAILED,
)  # states that count for "failures in a row"; the others tell nothing about the agent


async def move(
    store: Store, run: str, state: RunState, *, owner: UserId, now: datetime, reason: str = "", **fields: Any
) -> Run | None:
    """Move a run to `state` and return it; None if its present state does not allow that.

    Raises: NotFound. Conflict: too many processes change it at once.
    """
    for _ in range(TRIES):
        found = await store.get(Run, run, owner=owner)
        if not may_become(found.state, state):
            return None
        try:
            return await store.change(
                Run, run, owner=owner, expect={"state": found.state, "seq": found.seq},
                **changes_of_move(found, state, now=now, reason=reason), **fields,
            )  # fmt: skip
        except Conflict:
            continue
    raise Conflict(f"too many processes change run {run} at once")


def changes_of_move(run: Run, state: RunState, *, now: datetime, reason: str = "") -> dict[str, Any]:
    """Return the fields of a run that change with its move to `state`. Raises: ValueError: `reason` belongs to another
    state.
    """
    if state in ENDED and REASONS.get(reason) is not state:
        raise ValueError(f"{reason!r} is no reason of {state}")
    changes: dict[str, Any] = {"state": state, "reason": reason}
    if run.state is RunState.WAITING and run.asked_at:
        waited_s = max(0.0, (now - run.asked_at).total_seconds())
        changes |= {"waited_s": run.waited_s + waited_s, "asked_at": None}
    if state is RunState.WAITING:
        changes["asked_at"] = now
    if state is RunState.RUNNING and run.started_at is None:
        changes["started_at"] = now
    if state in ENDED:
        changes |= {"finished_at": now, "open_requests": ()}
    return changes


async def settle(store: Store, run: Run, *, owner: UserId, now: datetime) -> None:
    """Do what follows from a run's end: write the alert and the notification, pause the schedule if it keeps failing,
    delete the OpenRun row. The run of a test case says nothing of the agent's work, so nobody is told of it.
    """
    if run.trigger_kind is not TriggerKind.TEST:
        await _tell(store, run, owner=owner, now=now)
    await store.delete(OpenRun, run.id, owner=SYSTEM)


async def _tell(store: Store, run: Run, *, owner: UserId, now: datetime) -> None:
    """Write what people see of a run's end besides its row."""
    if run.state is RunState.FAILED:
        await alert(store, Alert(id=f"failed-{run.id}", kind=AlertKind.FAILED, agent=run.agent, run=run.id,
                                 trigger=run.trigger, reason=run.reason, at=now), owner=owner)  # fmt: skip
        if run.due_at:
            await _pause_if_it_keeps_failing(store, run, owner=owner, now=now)
    if run.state is RunState.SUCCEEDED and await _failed_before(store, run, owner=owner):
        kind = NotificationKind.RECOVERED
        recovered = Notification(
            id=f"recovered-{run.id}", kind=kind, agent=run.agent, run=run.id, line=run.result, at=now
        )
        await notify(store, recovered, owner=owner)
    await note_last_run(store, run, owner=owner, now=now)


async def note_last_run(store: Store, run: Run, *, owner: UserId, now: datetime) -> None:
    """Keep this run as the agent's last one, unless one that ended later is kept."""
    at = run.finished_at or now
    try:
        if (await store.get(LastRun, run.agent, owner=owner)).at > at:
            return
    except NotFound:
        pass  # its first
    last = LastRun(id=run.agent, run=run.id, state=run.state, reason=run.reason, result=run.result, at=at)
    await store.put(last, owner=owner)


async def alert(store: Store, one: Alert, *, owner: UserId) -> None:
    """Put an entry into the inbox and notify the user of it, once."""
    try:
        await store.create(one, owner=owner)
    except Conflict:
        pass  # the notification may be missing, if somebody was cut off here
    said = Notification(
        id=one.id, kind=_kind_of(one), agent=one.agent, run=one.run, trigger=one.trigger, reason=one.reason,
        due_at=one.due_at, at=one.at,
    )  # fmt: skip
    await notify(store, said, owner=owner)


def _kind_of(one: Alert) -> NotificationKind:
    if one.kind is not AlertKind.BUDGET:
        return NotificationKind(one.kind)
    return NotificationKind.BUDGET_100 if one.reason.endswith("_100") else NotificationKind.BUDGET_80


async def _failed_before(store: Store, run: Run, *, owner: UserId) -> bool:
    """Return whether the run before this one failed: of the same schedule, else of the same agent."""
    page: dict[str, Any] = {"owner": owner, "below": run.at, "limit": LOOK_BACK}
    if run.due_at:
        before = await store.find(Run, where={"trigger": run.trigger}, newest_by="at", **page)
    else:
        before = await store.find(Run, where={"agent": run.agent}, newest_by="at", **page)
    states = [one.state for one in before if one.state in COUNTED and one.trigger_kind is not TriggerKind.TEST]
    return states[:1] == [RunState.FAILED]


async def _pause_if_it_keeps_failing(store: Store, run: Run, *, owner: UserId, now: datetime) -> None:
    try:
        trigger = await store.get(Trigger, run.trigger, owner=owner)
    except NotFound:
        return
    if not trigger.enabled or trigger.pause_after <= 0:
        return
    newest = await store.find(
        Run, owner=owner, where={"trigger": trigger.id}, newest_by="at", above=trigger.counted_from,
        limit=trigger.pause_after + 20,
    )  # fmt: skip
    counted = [one.state for one in newest if one.state in COUNTED][: trigger.pause_after]
    if counted == [RunState.FAILED] * trigger.pause_after:
        await pause(store, trigger, owner=owner, by=ITSELF, why=run.reason, now=now)
        await alert(store, Alert(id=f"paused-{trigger.id}-{run.id}", kind=AlertKind.PAUSED, agent=run.agent, run=run.id,
                                 trigger=trigger.id, reason=run.reason, at=now), owner=owner)  # fmt: skip


async def pause(store: Store, trigger: Trigger, *, owner: UserId, by: str, why: str, now: datetime) -> Trigger:
    """Pause a schedule: none of its slots is due until somebody resumes it. Raises: NotFound."""
    paused = await store.change(
        Trigger, trigger.id, owner=owner, paused_by=by, paused_why=why, paused_at=now, updated_at=now
    )
    try:
        await store.change(DueSlot, trigger.id, owner=SYSTEM, due_at=NEVER)
    except NotFound:
        return paused  # the schedule is being deleted
    return paused


def is_open(run: Run) -> bool:
    """True if the run has not ended."""
    return run.state is RunState.QUEUED or run.state in AT_WORK
