"""A box's socket with egress behind it, and a program in the box that uses it as its proxy."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.config import runtime_dir
from core.config.settings import Secret
from core.domain.records import Connection
from core.gateway.egress.egress import Egress, EgressLimits
from core.gateway.egress.protocol_sniffer import ProtocolSniffer
from core.gateway.identity import Caller
from core.protocol import tokens
from tests.core.gateway.egress.world import World
from tests.core.gateway.gateway_harness import ALICE, GatewayHarness
from tests.timeouts import PATIENCE_S

KEY = Secret("the key of this platform, for tests")


@dataclass
class ProxyConnection:
    """A connection to the proxy, and its first answer."""

    status: int
    phrase: str
    fields: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def rest(self) -> bytes:
        """All that comes until the other side ends."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


class Proxy:
    """`await proxy.connect("example.com:443")`."""

    def __init__(self, harness: GatewayHarness, egress: Egress, path: Path) -> None:
        self.harness, self.egress, self.path = harness, egress, path
        self.token = tokens.sign({"user": ALICE, "agent": "a1", "session": "s1"}, key=KEY, audience="model:box1")
        self._connections: list[ProxyConnection] = []

    async def connect(self, where: str, *, token: str | None = None, early: bytes = b"") -> ProxyConnection:
        return await self.send(b"CONNECT %s HTTP/1.1\r\n%s\r\n" % (where.encode(), self.fields(token)) + early)

    def fields(self, token: str | None = None) -> bytes:
        word = base64.b64encode(f"oma:{self.token if token is None else token}".encode())
        return b"Host: x\r\nProxy-Authorization: Basic %s\r\n" % word

    async def send(self, *pieces: bytes) -> ProxyConnection:
        """Write these one by one, each read by the other side before the next; the answer to them."""
        async with asyncio.timeout(PATIENCE_S):
            reader, writer = await asyncio.open_unix_connection(str(self.path))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
            except asyncio.IncompleteReadError:
                head = "HTTP/1.1 0 nothing"
        first, _, fields = head.partition("\r\n")
        _, status, phrase = first.split(" ", 2)
        connection = ProxyConnection(int(status), phrase, fields, reader, writer)
        self._connections.append(connection)
        return connection

    async def rows(self) -> list[Connection]:
        """The log, after everything in it has been written."""
        await self.egress.close()
        return await self.harness.store.find(Connection, owner=ALICE, newest_by="updated_at")

    async def hang_up(self) -> None:
        await asyncio.gather(*(connection.close() for connection in self._connections))


@asynccontextmanager
async def proxy(harness: GatewayHarness, world: World, *, limits: EgressLimits | None = None) -> AsyncIterator[Proxy]:
    """The socket of alice's box1; her session is s1, with the agent a1."""
    await harness.add_session(ALICE)
    egress = Egress(store=harness.store, keys=(KEY,), outside=world.outside, limits=limits)
    place = runtime_dir.make(harness.settings)
    place.make_box("box1")
    path = place.box_socket("box1")
    take = egress.handler_for(Caller(box="box1", user=ALICE, key="k"))
    server = await asyncio.get_running_loop().create_unix_server(
        partial(ProtocolSniffer, api=asyncio.Protocol, egress=take, waiting=set()), str(path)
    )
    it = Proxy(harness, egress, path)
    try:
        yield it
    finally:
        server.close()
        await egress.close()
        await it.hang_up()
        place.remove()


@asynccontextmanager
async def server(answer: "asyncio.streams._ClientConnectedCallback") -> AsyncIterator[int]:
    """A server of the made-up internet; its port on loopback."""
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gives back what comes, as it comes, and ends when the other side does."""
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
