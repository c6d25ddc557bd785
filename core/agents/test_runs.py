"""Writes the rows with which a test run of an agent begins; any web works it off from there."""

from core.domain.agent_tests import AgentTestRun, OpenTestRun
from core.domain.errors import Conflict
from core.domain.records import SYSTEM, UserId
from core.store import Store


async def enter_test_run(store: Store, run: AgentTestRun, *, owner: UserId) -> AgentTestRun:
    """Write a test run that has not begun, or return the one with its id. To do so again changes nothing."""
    note = OpenTestRun(id=run.id, user=owner, agent=run.agent, created_at=run.created_at)
    try:
        await store.create(note, owner=SYSTEM)
        await store.create(run, owner=owner)
    except Conflict:
        pass
    try:
        await store.create(run, owner=owner)
    except Conflict:
        return await store.get(AgentTestRun, run.id, owner=owner)
    return run
