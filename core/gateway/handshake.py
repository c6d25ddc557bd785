"""A connection to the gateway's port until its first line tells its box; bytes and time are bounded."""

import asyncio
from collections.abc import Awaitable, Callable

from core.domain.errors import PlatformError
from core.protocol.handshake import LINE_BYTES, keep_alive

LINE_S = 10.0  # for the line and the read from the Store
HEAD_BYTES = 1024  # of a probe's request
UNDECIDED = 4096  # connections at once whose box is not known yet
OF_ONE_ADDRESS = 128  # of them from one address; a decision takes milliseconds, and a box has 64 connections
PROBE = b"GET /healthz HTTP/1."
PROBE_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"

RawTransport = asyncio.Transport
Admit = Callable[[bytes, RawTransport], Awaitable[Callable[[], asyncio.Protocol]]]


class HandshakeProtocol(asyncio.Protocol):
    """Replaces itself by the protocol that `admit` returns, or aborts the connection.

    Nothing that follows the line is read before that. `waiting` has all that are not decided.
    """

    def __init__(self, *, admit: Admit, waiting: "set[HandshakeProtocol]", line_s: float = LINE_S) -> None:
        self._admit, self._waiting, self._line_s = admit, waiting, line_s
        self._loop = asyncio.get_running_loop()
        self._first = b""
        self._transport: RawTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.address = ""

    def abort(self) -> None:
        """Abort the connection unless it was handed over."""
        if self._transport:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # streams only
        self._transport, self.address = transport, str(transport.get_extra_info("peername", ("",))[0])
        keep_alive(transport.get_extra_info("socket"))
        same = sum(other.address == self.address for other in self._waiting)
        self._waiting.add(self)
        self._timer = self._loop.call_later(self._line_s, self.abort)
        if len(self._waiting) > UNDECIDED or same >= OF_ONE_ADDRESS:
            self.abort()

    def data_received(self, data: bytes) -> None:
        self._first += data
        transport = self._transport
        if self._task or transport is None:
            return
        line, end, _ = self._first.partition(b"\n")
        if line.startswith(PROBE):
            self._answer_probe(transport)
        elif len(line) > LINE_BYTES:
            transport.abort()
        elif end:
            transport.pause_reading()
            self._task = self._loop.create_task(self._decide(line + end, transport), name="arrival")

    def connection_lost(self, _: Exception | None) -> None:
        self._stop_waiting()
        if self._task:
            self._task.cancel()

    def _answer_probe(self, transport: RawTransport) -> None:
        if b"\r\n\r\n" in self._first:
            transport.write(PROBE_ANSWER)
            transport.close()
        elif len(self._first) > HEAD_BYTES:
            transport.abort()

    async def _decide(self, line: bytes, transport: RawTransport) -> None:
        try:
            become = await self._admit(line, transport)
        except PlatformError:
            transport.abort()
            return
        if transport.is_closing():
            return
        self._stop_waiting()
        successor, self._transport = become(), None
        transport.set_protocol(successor)
        successor.connection_made(transport)
        if rest := self._first[len(line) :]:
            successor.data_received(rest)
        if not transport.is_closing():
            transport.resume_reading()

    def _stop_waiting(self) -> None:
        self._waiting.discard(self)
        if self._timer:
            self._timer.cancel()
