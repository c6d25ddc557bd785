"""Cluster gateways in the test's own loop: real TCP, the real store, and boxes that are only records with keys."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from core.domain.records import SYSTEM, Box, UserId, now
from core.gateway.cluster_server import serve
from core.protocol import handshake
from core.runner.gateway_transport import Connector, TcpTransport
from tests.core.gateway.gateway_harness import BoxHttp, GatewayHarness, until
from tests.product import free_port
from tests.timeouts import PATIENCE_S


class ClusterBoxHttp(BoxHttp):
    """HTTP calls over TCP; each connection begins with the handshake of the box."""

    def __init__(self, port: int, box: Box) -> None:
        super().__init__(Path("/nowhere"), box)
        self.port = port

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        box = self.box
        assert box
        road = TcpTransport("127.0.0.1", self.port, first_line=lambda: handshake.encode(box.id, box.key))
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        connector = Connector(road, limit=8)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=self.word) as http:
            yield http


@dataclass
class Gateway:
    """A running gateway; setting `stop` ends it."""

    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]


@dataclass
class ClusterHarness(GatewayHarness):
    """The harness of a cluster: `cluster_gateway()` runs a gateway with a port, any number of them at once."""

    @asynccontextmanager
    async def cluster_gateway(self, **times: float) -> AsyncIterator[Gateway]:
        """Run a gateway on a port of its own while the context is open."""
        port = free_port()
        settings = replace(self.settings, spawner="kubernetes", gateway_port=port)
        stop = asyncio.Event()
        given = {"look_s": 0.1, "drain_s": 5.0, **times}
        task = asyncio.create_task(serve(settings, self.store, stop, **given))
        try:
            await until(lambda: task.done() or listens(port))
            yield Gateway(port, stop, task)
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE_S + given["drain_s"])

    async def cluster_box(self, user: UserId, *, id: str = "box1") -> Box:
        """Store a box as the web does: an id, an owner and a key."""
        box = Box(id=id, user=user, key=secrets.token_urlsafe(32), started_at=now())
        await self.store.put(box, owner=SYSTEM)
        return box


def listens(port: int) -> bool:
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text()


async def say(port: int, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Send the parts over a raw connection, one after the other, and return all that is answered until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        return await asyncio.wait_for(reader.read(), PATIENCE_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()
