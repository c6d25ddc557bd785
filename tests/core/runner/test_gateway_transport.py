"""The way to a gateway on another machine: the first line of each connection, and patience where it is away."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from core.domain.errors import Unavailable
from core.runner.bridge import Bridge
from core.runner.gateway_client import GatewayClient
from core.runner.gateway_transport import TcpTransport, UnixTransport, transport_to
from tests.core.runner.test_bridge import ask
from tests.product import free_port


class Far:
    """A port that keeps the first line of each connection, and gives back the rest doubled, unless it `refuses`."""

    def __init__(self) -> None:
        self.port, self.lines, self.refuses = free_port(), list[bytes](), False

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    async def close(self) -> None:
        self._server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(await reader.readline())
        if not self.refuses:
            writer.write(2 * await reader.read())
        writer.close()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    far = Far()
    yield far
    await far.close()


def port(far: Far) -> TcpTransport:
    made = iter(range(1_000_000))
    return TcpTransport("127.0.0.1", far.port, first_line=lambda: b"OMA/1 %d\r\n" % next(made))


async def test_every_connection_begins_with_a_line_of_its_own_and_is_what_it_was(far: Far) -> None:
    await far.open()
    bridge = Bridge(port(far))
    await bridge.open()
    said = bytes(range(256)) * 2_000
    assert await asyncio.gather(*(ask(bridge.port, said) for _ in range(5))) == [2 * said] * 5
    assert sorted(far.lines) == [b"OMA/1 %d\r\n" % n for n in range(5)]
    await bridge.close()


async def test_a_connection_waits_for_a_gateway_that_is_away(far: Far) -> None:
    bridge = Bridge(port(far))
    await bridge.open()
    asking = asyncio.create_task(ask(bridge.port, b"x" * 1_000_000))
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done
    await far.open()
    assert await asking == b"x" * 2_000_000
    assert len(far.lines) == 1
    await bridge.close()


async def test_who_is_refused_is_told_so_and_does_not_try_for_ever(far: Far) -> None:
    far.refuses = True
    await far.open()
    bridge = Bridge(port(far))
    await bridge.open()
    assert await ask(bridge.port, b"hello") == b""
    gateway = GatewayClient(port(far), sign=str)
    with pytest.raises(Unavailable):
        await gateway.ingest("s1", [])
    assert len(far.lines) == 2
    await gateway.close()
    await bridge.close()


async def test_a_box_that_is_nobodys_says_nothing_to_a_gateway(far: Far) -> None:
    def none() -> bytes:
        raise ConnectionError("not bound to a user yet")

    await far.open()
    gateway = GatewayClient(TcpTransport("127.0.0.1", far.port, first_line=none), sign=str)
    with pytest.raises(Unavailable):
        await gateway.ingest("s1", [])
    await gateway.close()
    assert far.lines == []


def test_a_gateway_is_a_path_or_an_address_with_a_port() -> None:
    assert isinstance(transport_to("/run/oma/box.sock", first_line=bytes), UnixTransport)
    assert isinstance(transport_to("http://gateway.svc:8081", first_line=bytes), TcpTransport)
    for wrong in ("", "box.sock", "http://gateway", "https://gateway:8081", "http://gateway:99999", "http://g:1/path"):
        with pytest.raises(ValueError):
            transport_to(wrong, first_line=bytes)
