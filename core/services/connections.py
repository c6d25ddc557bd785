"""What an agent's connections to the internet were, as its owner reads them."""

from core.domain.records import Agent, Outbound, UserId
from core.store import Store

MOST = 1000  # as many as are kept of a user


class OutboundLog:
    """Written by the gateway, read by the web."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_agent(self, agent: str, *, user: UserId, limit: int = 200) -> list[Outbound]:
        """Newest first. Raises: NotFound: the agent."""
        await self._store.get(Agent, agent, owner=user)
        return await self._store.find(
            Outbound, owner=user, where={"agent": agent}, newest_by="updated_at", limit=min(limit, MOST)
        )

    async def forget(self, agent: str, *, user: UserId) -> None:
        """Drop all of an agent's. Idempotent."""
        for row in await self._store.find(Outbound, owner=user, where={"agent": agent}, limit=2 * MOST):
            await self._store.delete(Outbound, row.id, owner=user)
