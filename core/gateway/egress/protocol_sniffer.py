"""The first protocol of a connection from a box: by its first bytes it hands it to the API or to egress."""

import asyncio
from collections.abc import Callable

from core.gateway.egress.proxy_request import is_for_egress
from core.gateway.egress.tunnel import TunnelEnd

UNDECIDED = 256  # of one box: connections that egress does not count; as many as its bridge holds


class ProtocolSniffer(asyncio.Protocol):
    """Replaces itself by the API's protocol or a TunnelEnd. It answers nothing and keeps some 20 bytes at most.

    `waiting` has those of one socket that do not know yet, which whoever closes the socket aborts, and those that the
    API has: what an agent opens and keeps open must not be everybody's file descriptors.
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
        self._wire: asyncio.Transport | None = None
        self._given = False

    @property
    def over(self) -> bool:
        """Whether the connection has closed; a protocol that was handed over does not tell."""
        return self._wire is None or self._wire.is_closing()

    def abort(self) -> None:
        """Abort the connection unless it was handed over."""
        if self._wire and not self._given:
            self._wire.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # streams only
        self._wire = transport
        if len(self._waiting) >= UNDECIDED and not self._room():
            transport.abort()
        self._waiting.add(self)

    def data_received(self, data: bytes) -> None:
        self._first += data
        decided = is_for_egress(self._first)
        wire = self._wire
        if decided is None or wire is None:
            return
        if decided:
            self._waiting.discard(self)
        self._given = True
        heir = TunnelEnd() if decided else self._api()
        wire.set_protocol(heir)
        heir.connection_made(wire)
        if isinstance(heir, TunnelEnd):
            self._egress(heir)
        first, self._first = self._first, b""
        if isinstance(heir, asyncio.Protocol):
            heir.data_received(first)

    def _room(self) -> bool:
        self._waiting -= {front for front in self._waiting if front.over}
        return len(self._waiting) < UNDECIDED

    def connection_lost(self, _: Exception | None) -> None:
        self._waiting.discard(self)
