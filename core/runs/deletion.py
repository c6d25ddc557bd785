"""What goes with an agent: its schedules, its runs, and the platform's own notes about both."""

from core.domain.records import SYSTEM, UserId
from core.domain.runs import Alert, OpenRun, Run
from core.domain.schedules import DueSlot, Trigger
from core.store import Store


async def delete_for_agent(store: Store, agent: str, *, user: UserId) -> None:
    """Delete them. Idempotent. What makes more of them goes first."""
    for kind in (DueSlot, OpenRun):
        await store.delete_where(kind, owner=SYSTEM, where={"user": user, "agent": agent})
    for own in (Trigger, Run, Alert):
        await store.delete_where(own, owner=user, where={"agent": agent})
