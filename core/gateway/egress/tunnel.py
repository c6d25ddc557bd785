"""An end of a tunnel. It forwards arriving bytes to the other end, counted, and no faster than that accepts them."""

import asyncio
import socket

HEAD_BYTES = 16 * 1024
BUFFER_BYTES = 256 * 1024


class TunnelEnd(asyncio.Protocol):
    """Buffers what arrives until it is joined to another end; then passes it on."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: TunnelEnd | None = None
        self.bytes_in = 0
        self.ended = False
        self.heard_at = 0.0  # of the loop's clock
        self.early = bytearray()
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.closed = self._loop.create_future()

    async def head(self) -> bytes:
        """Return everything up to the first empty line; empty if there is none within HEAD_BYTES or before the end."""
        while True:
            if (at := self.early.find(b"\r\n\r\n", 0, HEAD_BYTES)) >= 0:
                head = bytes(self.early[: at + 4])
                del self.early[: at + 4]
                return head
            if self.ended or self.closed.done() or len(self.early) > HEAD_BYTES:
                return b""
            self._news.clear()
            await self._news.wait()

    def join(self, other: "TunnelEnd") -> None:
        """Connect the two ends; what they have buffered goes first."""
        self.other, other.other = other, self
        for end in (self, other):
            early, end.early = bytes(end.early), bytearray()
            if early:
                end._pass_on(early)
            if end.ended:
                end._pass_end()
            if end.transport and not (end.other and end.other.is_full):
                end.transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(data)

    @property
    def is_full(self) -> bool:
        """True if the peer reads more slowly than we write."""
        return self.transport is not None and self.transport.get_write_buffer_size() > BUFFER_BYTES

    def abort(self) -> None:
        """Close at once; bytes that were not sent are lost."""
        if self.transport:
            self.transport.abort()

    def close(self) -> None:
        """Close after everything has been sent."""
        if self.transport:
            self.transport.close()

    # --- called by the loop ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # streams only
        self.transport = transport
        self.heard_at = self._loop.time()
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        if self.other:
            self._pass_on(data)
            return
        self.early += data
        if len(self.early) > HEAD_BYTES and self.transport:
            self.transport.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        self.ended = True
        self._news.set()
        self._pass_end()
        return True  # keep our writing side open: the answer is still to come

    def pause_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self._news.set()
        if not self.closed.done():
            self.closed.set_result(None)

    def _pass_on(self, data: bytes) -> None:
        self.bytes_in += len(data)
        if self.other:
            self.other.write(data)

    def _pass_end(self) -> None:
        """Pass a half-close on; the second one closes both ends."""
        if self.other is None:
            return
        if self.other.ended:
            self.close()
            self.other.close()
        elif self.other.transport and self.other.transport.can_write_eof() and not self.other.transport.is_closing():
            self.other.transport.write_eof()
