"""A listening socket for each box of this machine. The socket of a request tells its box."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from core.config.runtime_dir import BACKLOG, Process, Runtime, guests, listening
from core.domain.errors import BadInput, Unavailable
from core.domain.records import SYSTEM, Box, UserId
from core.gateway.box_limits import PATIENCE_S, BoxLimits
from core.gateway.egress.egress import Egress
from core.gateway.egress.protocol_sniffer import ProtocolSniffer
from core.gateway.identity import Caller
from core.observability import metrics
from core.store import Store

log = logging.getLogger("oma.gateway")

MAX_BOXES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixListener:
    """The listening socket of a live box."""

    caller: Caller
    process: Process
    server: asyncio.Server
    waiting: set[ProtocolSniffer]
    path: Path


class UnixListeners:
    """Opens, watches and closes the sockets of all boxes of this machine.

    `caller` alone decides which box sent a request; in a cluster, core.gateway.tcp_listener does.
    """

    def __init__(self, *, runtime: Runtime, store: Store, patience_s: float = PATIENCE_S) -> None:
        self._runtime, self._store, self._patience_s = runtime, store, patience_s
        self._listeners: dict[str, UnixListener] = {}
        metrics.boxes.set_function(self.__len__)
        self._by_path: dict[str, Caller] = {}
        self._changing = asyncio.Lock()
        self.runner: web.AppRunner | None = None
        self.egress: Egress | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    def caller(self, request: web.Request) -> Caller:
        """Return the box that sent this request.

        Raises: Unavailable: its socket is being closed, because the gateway or the box ends; a CLI then tries again.
        """
        transport = request.transport
        path = transport.get_extra_info("sockname") if transport else None
        caller = self._by_path.get(path) if isinstance(path, str) else None
        if caller is None:
            raise Unavailable("no box is known by this socket", code="unknown_box")
        return caller

    async def restore(self) -> None:
        """Listen for every live box in the Store, after the gateway before this one has ended."""
        for box in await self._store.find(Box, owner=SYSTEM, limit=MAX_BOXES):
            process = Process.read(box.spawner_state)
            if process and process.alive():
                try:
                    await self.open(box.id, user=box.user, key=box.key, process=process)
                except BadInput as error:
                    log.warning("box %s has no listener: %s", box.id, error)
            elif process:
                await self._discard(box.id, process)

    async def open(self, box_id: str, *, user: UserId, key: str, process: Process) -> None:
        """Listen for a box; idempotent. Raises: BadInput: it has no directory, or its process is gone."""
        async with self._changing:
            if len(self._listeners) >= MAX_BOXES:
                raise BadInput("too many boxes", code="too_much")
            if not process.alive():
                raise BadInput("this process does not live", code="box_gone")
            path = self._runtime.box_socket(box_id)
            old = self._listeners.get(box_id)
            known = old and old.process == process and (old.caller.user, old.caller.key) == (user, key)
            if known and path.is_socket():
                return
            await self._close(box_id)
            caller = Caller(box=box_id, user=user, key=key, limits=BoxLimits(patience_s=self._patience_s))
            self._listeners[box_id] = listener = await self._listen(caller, process, path)
            self._by_path[str(path)] = listener.caller

    async def close(self, box_id: str) -> None:
        """Stop listening and remove the box's directory. Idempotent."""
        async with self._changing:
            await self._close(box_id)
            self._runtime.remove_box(box_id)

    async def close_all(self) -> None:
        """Stop listening. The boxes' directories stay, because another gateway may follow."""
        async with self._changing:
            for box_id in list(self._listeners):
                await self._close(box_id)
            if self.egress:
                await self.egress.close()

    async def close_dead_boxes(self) -> None:
        """Close the sockets of boxes whose process is gone, and remove their directories."""
        for box_id, listener in list(self._listeners.items()):
            if not listener.process.alive():
                await self._discard(box_id, listener.process)

    async def _listen(self, caller: Caller, process: Process, path: Path) -> UnixListener:
        api = self.runner.server if self.runner else None
        if api is None or self.egress is None:
            raise BadInput("the gateway is not open yet")
        if not path.parent.is_dir():
            raise BadInput("this box has no directory", code="box_gone")
        waiting: set[ProtocolSniffer] = set()
        front = partial(ProtocolSniffer, api=api, egress=self.egress.handler_for(caller), waiting=waiting)
        # The box's processes have the user's own id on this machine, or ours.
        listener = await asyncio.to_thread(listening, path, group=guests(path.parent))
        server = await asyncio.get_running_loop().create_unix_server(front, sock=listener, backlog=BACKLOG)
        return UnixListener(caller=caller, process=process, server=server, waiting=waiting, path=path)

    async def _close(self, box_id: str) -> None:
        if listener := self._listeners.pop(box_id, None):
            self._by_path.pop(str(listener.path), None)
            listener.server.close()
            for front in set(listener.waiting):
                front.abort()
            if self.egress:
                self.egress.hang_up(box_id)
            listener.path.unlink(missing_ok=True)

    async def _discard(self, box_id: str, process: Process) -> None:
        """Stop listening for a dead box. Its record stays, so that the web finds what to recover."""
        listener = self._listeners.get(box_id)
        if listener and listener.process != process:
            return  # the box lives again, as another process
        log.info("box %s is gone", box_id)
        await self.close(box_id)
