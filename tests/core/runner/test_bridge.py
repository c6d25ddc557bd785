"""The box's only road: byte for byte, and patient while the gateway is away."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.runner.bridge import Bridge
from core.runner.gateway_transport import UnixTransport


@pytest.fixture
async def short() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="oma-b-") as folder:  # a socket's path has 108 bytes at most
        yield Path(folder)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Gives back what it got, doubled, once the other side has ended."""
    said = await reader.read()
    writer.write(said * 2)
    writer.close()


async def ask(port: int, said: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return answer


async def test_bytes_go_through_unchanged_in_both_directions(short: Path) -> None:
    server = await asyncio.start_unix_server(echo, short / "box.sock")
    bridge = Bridge(UnixTransport(str(short / "box.sock")))
    await bridge.open()
    said = bytes(range(256)) * 20_000
    assert await ask(bridge.port, said) == said * 2
    assert await asyncio.gather(*(ask(bridge.port, b"%d" % n) for n in range(20))) == [
        b"%d%d" % (n, n) for n in range(20)
    ]
    await bridge.close()
    server.close()


async def test_a_connection_waits_for_a_gateway_that_is_away(short: Path) -> None:
    bridge = Bridge(UnixTransport(str(short / "box.sock")))
    await bridge.open()
    asking = asyncio.create_task(ask(bridge.port, b"x" * 1_000_000))
    done, _ = await asyncio.wait([asking], timeout=0.3)
    assert not done
    server = await asyncio.start_unix_server(echo, short / "box.sock")
    assert await asking == b"x" * 2_000_000
    await bridge.close()
    server.close()


async def test_a_gateway_that_stays_away_is_given_up_after_a_time(short: Path) -> None:
    bridge = Bridge(UnixTransport(str(short / "box.sock")), hold_s=0.2)
    await bridge.open()
    assert await ask(bridge.port, b"hello") == b""
    await bridge.close()


async def test_the_other_sides_end_is_passed_on(short: Path) -> None:
    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    server = await asyncio.start_unix_server(rude, short / "box.sock")
    bridge = Bridge(UnixTransport(str(short / "box.sock")))
    await bridge.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", bridge.port)
    assert await asyncio.wait_for(reader.read(), 5) == b"half"
    writer.close()
    await bridge.close()
    server.close()
