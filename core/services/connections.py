"""What an agent's connections to the internet were, as its owner reads them."""

from core.domain.records import Agent, Connection, UserId
from core.store import Store

MOST = 1000  # as many as are kept of a user


class ConnectionHistory:
    """Written by the gateway, read by the web."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_agent(self, agent: str, *, user: UserId, limit: int = 200) -> list[Connection]:
        """Newest first. Raises: NotFound: the agent."""
        await self._store.get(Agent, agent, owner=user)
        return await self._store.find(
            Connection, owner=user, where={"agent": agent}, newest_by="updated_at", limit=min(limit, MOST)
        )

    async def delete_for_agent(self, agent: str, *, user: UserId) -> None:
        """Drop all of an agent's. Idempotent."""
        for row in await self._store.find(Connection, owner=user, where={"agent": agent}, limit=2 * MOST):
            await self._store.delete(Connection, row.id, owner=user)
