"""A box's socket takes no more silent connections than its bridge can hold."""

import asyncio
from functools import partial

from core.config import runtime_dir
from core.gateway.egress.protocol_sniffer import UNDECIDED, ProtocolSniffer
from tests.core.gateway.gateway_harness import GatewayHarness
from tests.timeouts import PATIENCE_S


async def test_silent_connections_are_bounded_and_forgotten(harness: GatewayHarness) -> None:
    waiting: set[ProtocolSniffer] = set()
    place = runtime_dir.make(harness.settings)
    place.make_box("box1")
    path = str(place.box_socket("box1"))
    front = partial(ProtocolSniffer, api=asyncio.Protocol, egress=lambda _: None, waiting=waiting)
    server = await asyncio.get_running_loop().create_unix_server(front, path, backlog=2 * UNDECIDED)
    pairs = [await asyncio.open_unix_connection(path) for _ in range(UNDECIDED + 1)]
    async with asyncio.timeout(PATIENCE_S):
        assert await pairs[-1][0].read() == b"", "one too many is hung up on"
        assert len(waiting) == UNDECIDED
        for front_ in set(waiting):
            front_.abort()
        assert [await reader.read() for reader, _ in pairs] == [b""] * len(pairs)
    assert waiting == set()
    for _, writer in pairs:
        writer.close()
    server.close()
    place.remove()


async def test_connections_to_the_api_are_bounded_until_they_end(harness: GatewayHarness) -> None:
    waiting: set[ProtocolSniffer] = set()
    place = runtime_dir.make(harness.settings)
    place.make_box("box1")
    path = str(place.box_socket("box1"))
    front = partial(ProtocolSniffer, api=asyncio.Protocol, egress=lambda _: None, waiting=waiting)
    server = await asyncio.get_running_loop().create_unix_server(front, path, backlog=2 * UNDECIDED)
    pairs = []
    for _ in range(UNDECIDED):
        pairs.append(await asyncio.open_unix_connection(path))
        pairs[-1][1].write(b"GET / HTTP/1.1\r\n")
    async with asyncio.timeout(PATIENCE_S):
        while not all(front_._given for front_ in waiting):
            await asyncio.sleep(0.01)
        assert not any(front_._first for front_ in waiting), "what came first is the API's, and kept by nobody"
        reader, writer = await asyncio.open_unix_connection(path)
        assert await reader.read() == b"", "one too many is hung up on"
        writer.close()
        for _, one in pairs:
            one.close()
        while not all(front_.over for front_ in waiting):
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_unix_connection(path)
        while len(waiting) != 1:
            await asyncio.sleep(0.01)
    writer.close()
    server.close()
    place.remove()
