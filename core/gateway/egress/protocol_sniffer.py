"""The first protocol of a connection from a box: its first bytes decide between the API and egress."""

import asyncio
from collections.abc import Callable

from core.gateway.egress.proxy_request import is_for_egress
from core.gateway.egress.tunnel import TunnelEnd

UNDECIDED = 256  # connections of one box that egress does not count; its bridge holds as many


class ProtocolSniffer(asyncio.Protocol):
    """Replaces itself by the API's protocol or a TunnelEnd. It answers nothing and keeps about 20 bytes at most.

    `waiting` has the undecided connections of one socket, which are aborted with the socket, and those of the API. It
    limits the file descriptors that an agent can hold open.
    """

    def __init__(
        self,
        *,
        api: Callable[[], asyncio.BaseProtocol],
        egress: Callable[[TunnelEnd], None],
        waiting: "set[ProtocolSniffer]",
    ) -> None:
        self._api, self._egress, self._waiting = api, egress, waiting
        self._first = b""
        self._transport: asyncio.Transport | None = None
        self._given = False

    @property
    def over(self) -> bool:
        """True if the connection has closed. A protocol that took it over does not report that."""
        return self._transport is None or self._transport.is_closing()

    def abort(self) -> None:
        """Abort the connection unless it was handed over."""
        if self._transport and not self._given:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # streams only
        self._transport = transport
        if len(self._waiting) >= UNDECIDED and not self._room():
            transport.abort()
        self._waiting.add(self)

    def data_received(self, data: bytes) -> None:
        self._first += data
        decided = is_for_egress(self._first)
        transport = self._transport
        if decided is None or transport is None:
            return
        if decided:
            self._waiting.discard(self)
        self._given = True
        successor = TunnelEnd() if decided else self._api()
        transport.set_protocol(successor)
        successor.connection_made(transport)
        if isinstance(successor, TunnelEnd):
            self._egress(successor)
        first, self._first = self._first, b""
        if isinstance(successor, asyncio.Protocol):
            successor.data_received(first)

    def _room(self) -> bool:
        self._waiting -= {front for front in self._waiting if front.over}
        return len(self._waiting) < UNDECIDED

    def connection_lost(self, _: Exception | None) -> None:
        self._waiting.discard(self)
