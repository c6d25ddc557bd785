"""An agent's connections to the internet, as its owner sees them."""

from core.domain.records import Agent, Connection, UserId
from core.store import Store

MOST = 1000  # the number that is kept per user


class ConnectionHistory:
    """Reads the rows that the gateway writes about connections."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_agent(self, agent: str, *, user: UserId, limit: int = 200) -> list[Connection]:
        """Return an agent's connections, newest first. Raises: NotFound: the agent."""
        await self._store.get(Agent, agent, owner=user)
        return await self._store.find(
            Connection, owner=user, where={"agent": agent}, newest_by="updated_at", limit=min(limit, MOST)
        )

    async def delete_for_agent(self, agent: str, *, user: UserId) -> None:
        """Delete all rows of an agent. Idempotent."""
        for row in await self._store.find(Connection, owner=user, where={"agent": agent}, limit=2 * MOST):
            await self._store.delete(Connection, row.id, owner=user)
