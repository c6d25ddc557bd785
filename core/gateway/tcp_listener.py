"""The gateway's port for all boxes of a cluster. The first line of a connection proves its box."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakKeyDictionary

from aiohttp import web

from core.domain.errors import Misconfigured, NotFound, StoreUnavailable, Unavailable
from core.domain.records import SYSTEM, Box
from core.gateway.box_limits import PATIENCE_S, BoxLimits
from core.gateway.egress.egress import Egress
from core.gateway.egress.protocol_sniffer import ProtocolSniffer
from core.gateway.handshake import LINE_S, HandshakeProtocol, RawTransport
from core.gateway.identity import Caller
from core.observability import metrics
from core.protocol import handshake
from core.store import Store

log = logging.getLogger("oma.gateway")

LOOKUPS = 16  # in the Store at once
BACKLOG = 1024


@dataclass(slots=True, kw_only=True, eq=False)
class KnownBox:
    """A box as it was read from the Store a moment ago."""

    box: Box
    caller: Caller
    waiting: set[ProtocolSniffer] = field(default_factory=set)


class TcpListener:
    """Knows the box of each connection.

    A box is read from the Store at its first connection. `refresh`, called every few seconds, reads it again while it
    has an open connection, and forgets it otherwise, so the data here is never older than that.
    """

    def __init__(
        self,
        *,
        store: Store,
        egress: Egress,
        patience_s: float = PATIENCE_S,
        line_s: float = LINE_S,
    ) -> None:
        self._store, self._egress, self._patience_s, self._line_s = store, egress, patience_s, line_s
        self._known: dict[str, KnownBox] = {}
        self._by_transport: WeakKeyDictionary[asyncio.BaseTransport, KnownBox] = WeakKeyDictionary()
        self._arriving: set[HandshakeProtocol] = set()
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self.runner: web.AppRunner | None = None
        metrics.boxes.set_function(lambda: len(self._open()))

    def caller(self, request: web.Request) -> Caller:
        """Return the box that sent this request. Raises: Unavailable: it is gone."""
        known = self._by_transport.get(request.transport) if request.transport else None
        if known is None or self._known.get(known.box.id) is not known:
            raise Unavailable("no box is known by this connection", code="unknown_box")
        return known.caller

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[None]:
        """Accept connections while the context is open; those that are open stay open after it.

        Raises: Misconfigured: the port is taken.
        """
        arrive = partial(HandshakeProtocol, admit=self._admit, waiting=self._arriving, line_s=self._line_s)
        try:
            server = await asyncio.get_running_loop().create_server(arrive, host, port, backlog=BACKLOG)
        except OSError as error:
            raise Misconfigured(f"cannot listen on {host}:{port}: {error.strerror}; set OMA_GATEWAY_PORT") from error
        try:
            yield
        finally:
            server.close()
            for arrival in list(self._arriving):
                arrival.abort()
            for front in [front for known in self._known.values() for front in known.waiting]:
                front.abort()

    async def refresh(self) -> None:
        """Abort connections of boxes that are gone, and forget boxes without connections."""
        there = self._open()
        self._known = {id: known for id, known in self._known.items() if known in there}
        for id in list(self._known):
            try:
                await self._look_up(id)
            except NotFound:
                log.info("box %s is gone", id)
            except StoreUnavailable as error:  # without an answer from the Store, known boxes stay known
                log.warning("box %s is not looked at: %s", id, error)

    def _open(self) -> set[KnownBox]:
        return {known for transport, known in list(self._by_transport.items()) if not transport.is_closing()}

    async def _admit(self, line: bytes, transport: RawTransport) -> Callable[[], ProtocolSniffer]:
        """Authenticate a connection by its first line. Raises: BadInput, NotSignedIn, NotFound, StoreUnavailable."""
        token = handshake.token_of(line)
        id = handshake.claimed_box(token)
        known = self._known.get(id)
        if known is None:
            known = await self._look_up(id)
        handshake.verify(token, key=known.box.key)
        self._by_transport[transport] = known
        api = self.runner.server if self.runner else None
        if api is None:
            raise Unavailable("the gateway is not open")
        return partial(ProtocolSniffer, api=api, egress=self._egress.handler_for(known.caller), waiting=known.waiting)

    async def _look_up(self, id: str) -> KnownBox:
        try:
            async with self._lookups:
                box = await self._store.get(Box, id, owner=SYSTEM)
        except NotFound:
            self._hang_up(id)
            raise
        known = self._known.get(id)
        if known and (known.box.user, known.box.key) == (box.user, box.key):
            return known
        self._hang_up(id)
        caller = Caller(box=id, user=box.user, key=box.key, limits=BoxLimits(patience_s=self._patience_s))
        self._known[id] = known = KnownBox(box=box, caller=caller)
        return known

    def _hang_up(self, id: str) -> None:
        known = self._known.pop(id, None)
        if known is None:
            return
        for transport in [transport for transport, whose in self._by_transport.items() if whose is known]:
            if isinstance(transport, asyncio.Transport):
                transport.abort()
        self._egress.hang_up(id)
