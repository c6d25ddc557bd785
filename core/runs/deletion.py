"""Deletes everything that belongs to an agent's unattended work."""

from core.domain.agent_tests import AgentTestRun, OpenTestRun
from core.domain.records import SYSTEM, UserId
from core.domain.runs import Alert, LastRun, OpenRun, Run
from core.domain.schedules import DueSlot, Trigger
from core.notifications.recording import forget_agent
from core.store import Store


async def delete_for_agent(store: Store, agent: str, *, user: UserId) -> None:
    """Delete an agent's schedules, runs and alerts, and the platform's own rows about them. Idempotent.

    The rows from which new runs would be made go first.
    """
    for kind in (DueSlot, OpenRun, OpenTestRun):
        await store.delete_where(kind, owner=SYSTEM, where={"user": user, "agent": agent})
    await store.delete(LastRun, agent, owner=user)
    for own in (Trigger, Run, AgentTestRun, Alert):
        await store.delete_where(own, owner=user, where={"agent": agent})
    await forget_agent(store, agent, owner=user)
