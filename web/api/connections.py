"""Connections of an agent to the internet."""

import msgspec

from core.domain.records import Connection
from core.services.connections import ConnectionHistory
from web.api.routing import ApiRouter, Caller

NEWEST = 200  # connections in one answer


class RecentConnections(msgspec.Struct, frozen=True, kw_only=True):
    """The newest connections, newest first."""

    outbound: list[Connection]


def router(history: ConnectionHistory) -> ApiRouter:
    """The one route under `/agents/{agent}/outbound`."""
    api = ApiRouter("connections")

    @api.endpoint("GET", "/agents/{agent}/outbound", problems=(404,))
    async def list_connections(agent: str, user: Caller) -> RecentConnections:
        """List the newest 200 connections of an agent."""
        return RecentConnections(outbound=await history.of_agent(agent, user=user.user_id, limit=NEWEST))

    return api
