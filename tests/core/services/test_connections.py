"""A user reads the connections of their own agents, newest first, and nobody else's."""

from datetime import timedelta
from pathlib import Path

import pytest

from core.domain.errors import NotFound
from core.domain.records import Agent, Connection, UserId, now
from core.services.connections import ConnectionHistory
from core.store.sqlite import SqliteStore

ALICE, CHARLIE = UserId("google-1"), UserId("google-3")


async def test_an_agents_connections_are_read_newest_first_by_their_owner_alone(tmp_path: Path) -> None:
    moment = now()
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        for agent in ("a1", "a2"):
            await store.put(Agent(id=agent, created_at=moment, updated_at=moment), owner=ALICE)
        for number, agent in enumerate(("a1", "a1", "a2")):
            at = moment + timedelta(seconds=number)
            row = Connection(
                id=str(number), agent=agent, session="s", host="h", port=443, decision="connected", updated_at=at
            )
            await store.put(row, owner=ALICE)
        log = ConnectionHistory(store)
        assert [row.id for row in await log.of_agent("a1", user=ALICE)] == ["1", "0"]
        assert [row.id for row in await log.of_agent("a1", user=ALICE, limit=1)] == ["1"]
        for user, agent in ((CHARLIE, "a1"), (ALICE, "a9")):
            with pytest.raises(NotFound):
                await log.of_agent(agent, user=user)
        await log.delete_for_agent("a1", user=ALICE)
        assert await log.of_agent("a1", user=ALICE) == []
        assert len(await log.of_agent("a2", user=ALICE)) == 1
