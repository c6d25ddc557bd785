"""A relay between 127.0.0.1:port and the gateway: the CLI speaks TCP, and the box has no other way out.

The bytes from the gateway are searched for ids of model messages (model_calls.py). While the gateway is away, new
connections are held, so that the CLI sees a slow answer instead of a refused one (G4).
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from functools import partial

from core.runner.gateway_transport import Transport
from core.runner.model_calls import ModelCalls

log = logging.getLogger("oma.bridge")

HOLD_S = 120.0
RETRY_S = 0.05
BUFFER_BYTES = 256 * 1024
CONNECTIONS = 256


class RelayEnd(asyncio.Protocol):
    """An end of a relayed connection. Bytes received here are written to `other`, no faster than it accepts them."""

    def __init__(self, on_bytes: Callable[[bytes], None] | None = None) -> None:
        self._on_bytes = on_bytes
        self.other: RelayEnd | None = None
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._ended = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # streams only
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._on_bytes:
            self._on_bytes(data)
        if self.other and self.other.transport:
            self.other.transport.write(data)
        elif self.transport:
            self._early.append(data)
            if sum(map(len, self._early)) > BUFFER_BYTES:
                self.transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._pass_end()
        return True  # keep our writing side open: the answer is still to come

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        if self.other and self.other.transport:
            self.other.transport.close()
        if not self.closed.done():
            self.closed.set_result(None)

    def join(self, other: "RelayEnd") -> None:
        """Connect the two ends; bytes that came early go first."""
        self.other, other.other = other, self
        self._on_bytes, on_bytes = None, self._on_bytes  # it has received these already
        for data in self._early:
            self.data_received(data)
        self._on_bytes = on_bytes
        self._early.clear()
        if self.transport:
            self.transport.resume_reading()
        self._pass_end()

    def _pass_end(self) -> None:
        transport = self.other.transport if self.other else None
        if self._ended and transport and transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()


class Bridge:
    """The relay of a runner. `await Bridge(road).open()` starts it; CLIs connect to `port`."""

    def __init__(self, road: Transport, *, hold_s: float = HOLD_S) -> None:
        self._road, self._hold_s = road, hold_s
        self.calls = ModelCalls()
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for pair in self._pairs:
            pair.cancel()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    def _accept(self) -> RelayEnd:
        near = RelayEnd()
        if len(self._pairs) >= CONNECTIONS:
            log.warning("more than %d connections at once; this one waits without end", CONNECTIONS)
            return near
        pair = asyncio.get_running_loop().create_task(self._pair(near), name="bridge")
        self._pairs.add(pair)
        pair.add_done_callback(self._pairs.discard)
        return near

    async def _pair(self, near: RelayEnd) -> None:
        try:
            far = await self._reach(near)
            if far is not None:
                near.join(far)
                await near.closed
        finally:
            for side in (near, near.other):
                if side and side.transport:
                    side.transport.close()

    async def _reach(self, near: RelayEnd) -> RelayEnd | None:
        """Return the gateway's end, retrying while the gateway is away; None if the near end closed or the time is
        over.

        An accepted connection that the gateway closes is not retried: the first byte may have been sent.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._hold_s
        while loop.time() < deadline and not near.closed.done():
            with contextlib.suppress(OSError):
                return await self._road.connect(partial(RelayEnd, self.calls.answer().feed))
            await asyncio.sleep(RETRY_S)
        return None
