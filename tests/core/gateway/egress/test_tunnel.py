"""A tunnel out of a box: only for who may, to the address that was checked, complete, bounded and written down."""

import asyncio

import pytest

from core.domain.records import Agent, Session
from core.gateway.egress.egress import EgressLimits
from core.gateway.egress.tunnel import HEAD_BYTES
from core.gateway.identity import Caller
from core.protocol import tokens
from tests.core.gateway.egress.proxy import KEY, echo, proxy, server
from tests.core.gateway.egress.world import PUBLIC, World
from tests.core.gateway.gateway_harness import ALICE, BOB, GatewayHarness, until
from tests.timeouts import PATIENCE_S

HELD = {"example.com": [[PUBLIC]]}


def leading_to(port: int) -> World:
    return World(names={name: list(answers) for name, answers in HELD.items()}, ports={PUBLIC: port})


async def test_bytes_go_both_ways_unchanged_and_are_counted(harness: GatewayHarness) -> None:
    said = bytes(range(256)) * 20_000
    async with server(echo) as port, proxy(harness, leading_to(port)) as box:
        connection = await box.connect("Example.com:443", early=said[:1000])
        assert (connection.status, connection.phrase) == (200, "Connection established")
        got = asyncio.create_task(connection.rest())
        connection.writer.write(said[1000:])
        connection.writer.write_eof()  # the answer still comes
        assert await got == said
        [row] = await box.rows()
    assert (row.agent, row.session, row.host, row.port, row.address) == ("a1", "s1", "example.com", 443, PUBLIC)
    assert (row.decision, row.sent_bytes, row.received_bytes, row.times) == ("connected", len(said), len(said), 1)


async def test_a_refusal_says_host_and_reason_and_is_written_down(harness: GatewayHarness) -> None:
    async with proxy(harness, leading_to(1)) as box:
        connection = await box.connect("169.254.169.254:80")
        assert connection.status == 403
        assert "169.254.169.254 is refused: a link-local address" in connection.phrase, (
            "Python and pip show only this line"
        )
        assert connection.phrase in (await connection.rest()).decode()
        [row] = await box.rows()
    assert (row.decision, row.host, row.address, row.sent_bytes) == ("refused", "169.254.169.254", "", 0)
    assert "link-local" in row.reason


async def test_the_agents_list_decides(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port)) as box:
        await harness.store.change(Agent, "a1", owner=ALICE, egress=("example.org",))
        assert (await box.connect("example.com:443")).status == 403
        await harness.store.change(Agent, "a1", owner=ALICE, egress=("example.com",))
        assert (await box.connect("example.com:443")).status == 200


async def test_a_name_that_changes_its_mind_is_connected_to_what_was_checked(harness: GatewayHarness) -> None:
    async with server(echo) as port:
        world = World(names={"rebind.evil.test": [[PUBLIC], ["10.0.0.1"]]}, ports={PUBLIC: port})
        async with proxy(harness, world) as box:
            await box.connect("rebind.evil.test:443")
        assert world.dialled == [PUBLIC]


async def test_the_next_address_is_tried_and_nobody_at_all_is_said(harness: GatewayHarness) -> None:
    async with server(echo) as port:
        world = World(names={"example.com": [["93.184.215.20", PUBLIC]]}, ports={PUBLIC: port})
        async with proxy(harness, world) as box:
            assert (await box.connect("example.com:443")).status == 200
            world.ports.clear()
            connection = await box.connect("example.com:443")
            assert (connection.status, connection.phrase) == (502, "example.com does not answer")
            assert (await box.connect("nobody.example.com:443")).status == 502
            assert sorted(row.decision for row in await box.rows()) == ["connected", "failed", "failed"]


def signed(box: str, user: str = ALICE, session: str = "s1") -> str:
    return tokens.sign({"user": user, "agent": "a1", "session": session}, key=KEY, audience=f"model:{box}")


@pytest.mark.parametrize(
    "token",
    ["", "s1", "nonsense", signed("box2"), signed("box1", user=BOB), signed("box1", session="s2")],
    ids=["none", "a session's id", "nonsense", "another box's", "another user's", "no session's"],
)
async def test_without_a_token_of_a_session_of_this_box_nothing_is_connected(
    harness: GatewayHarness, token: str
) -> None:
    world = leading_to(1)
    async with proxy(harness, world) as box:
        connection = await box.connect("example.com:443", token=token)
        assert connection.status == 407
        assert "Proxy-Authenticate: Basic" in connection.fields
    assert world.resolved == world.dialled == []


async def test_a_token_ends_with_its_session(harness: GatewayHarness) -> None:
    async with proxy(harness, leading_to(1)) as box:
        await harness.store.delete(Session, "s1", owner=ALICE)
        assert (await box.connect("example.com:443")).status == 407


async def test_a_fast_server_waits_for_a_slow_reader(harness: GatewayHarness) -> None:
    whole, sent, wrote = 64 << 20, 0, asyncio.Event()

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < whole:
            writer.write(bytes(1 << 16))
            await writer.drain()
            sent += 1 << 16
            wrote.set()
        writer.close()

    async with server(pour) as port, proxy(harness, leading_to(port)) as box:
        connection = await box.connect("example.com:443")
        with pytest.raises(TimeoutError):
            while True:  # until it is stuck: nothing was written for a whole second
                wrote.clear()
                await asyncio.wait_for(wrote.wait(), 1.0)
        assert sent < 16 << 20, "somebody kept what nobody reads"
        received = 0
        async with asyncio.timeout(PATIENCE_S):
            while chunk := await connection.reader.read(1 << 20):
                received += len(chunk)
        assert received == whole


@pytest.mark.parametrize("limits", [EgressLimits(connections=3), EgressLimits(burst=3, per_s=0)], ids=["open", "new"])
async def test_a_box_has_so_many_connections_and_no_more(harness: GatewayHarness, limits: EgressLimits) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port), limits=limits) as box:
        first = [await box.connect("example.com:443") for _ in range(3)]
        assert [connection.status for connection in first] == [200] * 3
        assert (await box.connect("example.com:443")).status == 429


async def test_a_place_is_free_again_when_a_connection_has_ended(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port), limits=EgressLimits(connections=1)) as box:
        for _ in range(3):
            connection = await box.connect("example.com:443")
            assert connection.status == 200
            connection.writer.write_eof()
            assert await connection.rest() == b""
            await connection.close()


async def test_where_nothing_moves_the_tunnel_ends(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port), limits=EgressLimits(idle_s=0.1)) as box:
        connection = await box.connect("example.com:443")
        assert await connection.rest() == b""
        [row] = await box.rows()
        assert row.reason == "nothing moved for too long"


@pytest.mark.parametrize("first", [b"CONNECT example.com:443 HTTP/1.1\r\n", b"CONNECT " + b"x" * 100_000])
async def test_a_request_that_does_not_end_is_hung_up_on(harness: GatewayHarness, first: bytes) -> None:
    async with proxy(harness, leading_to(1), limits=EgressLimits(head_s=0.1)) as box:
        assert (await box.send(first)).status == 0


async def test_a_request_that_ends_too_late_is_hung_up_on(harness: GatewayHarness) -> None:
    limits = EgressLimits(head_s=10 * PATIENCE_S)  # it is not the time that ends it
    async with server(echo) as port, proxy(harness, leading_to(port), limits=limits) as box:
        assert (await box.send(b"CONNECT " + b"x" * 100_000)).status == 0
        for long, status in ((HEAD_BYTES // 2, 200), (HEAD_BYTES, 0)):  # in one piece
            connection = await box.send(
                b"CONNECT example.com:443 HTTP/1.1\r\nA: %s\r\n%s\r\n" % (long * b"x", box.fields())
            )
            assert connection.status == status


async def test_when_the_box_is_gone_so_are_its_connections(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port)) as box:
        connection = await box.connect("example.com:443")
        box.egress.hang_up("box1")
        assert await connection.rest() == b""
        assert len(await box.rows()) == 1


async def test_a_box_is_known_as_long_as_it_has_something_open_or_used_up(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port), limits=EgressLimits(per_s=0.0)) as box:
        known, ask = box.egress._accounts, box.egress._account
        connection = await box.connect("example.com:443")
        ask(Caller(box="box2", user=BOB, key="k"))
        ask(Caller(box="box3", user=BOB, key="k"))
        assert set(known) == {"box1", "box3"}
        await connection.close()
        await until(lambda: not known["box1"].ends)
        ask(Caller(box="box4", user=BOB, key="k"))
        assert set(known) == {"box1", "box4"}
        known["box1"].left += 1
        ask(Caller(box="box5", user=BOB, key="k"))
        assert set(known) == {"box5"}


async def test_a_connection_that_is_open_when_the_gateway_ends_is_written_down(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port)) as box:
        await box.connect("example.com:443")
        assert [row.decision for row in await box.rows()] == ["connected"]


async def test_a_plain_http_request_is_judged_and_passed_on_without_what_was_said_to_the_proxy(
    harness: GatewayHarness,
) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
        writer.close()

    async with server(answer) as port, proxy(harness, leading_to(port)) as box:
        fields = box.fields() + b"X-Mine: 1\r\nProxy-Connection: keep-alive\r\n"
        connection = await box.send(b"GET http://example.com/a?b=c HTTP/1.1\r\n" + fields + b"\r\n")
        assert (connection.status, await connection.rest()) == (200, b"hi")
        assert (await box.send(b"GET http://10.0.0.1/ HTTP/1.1\r\n" + fields + b"\r\n")).status == 403
        assert {row.port for row in await box.rows()} == {80}
    assert heard == [b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nX-Mine: 1\r\nConnection: close\r\n\r\n"]


async def test_a_request_that_comes_byte_by_byte_is_understood(harness: GatewayHarness) -> None:
    async with server(echo) as port, proxy(harness, leading_to(port)) as box:
        raw = b"CONNECT example.com:443 HTTP/1.1\r\n" + box.fields() + b"\r\n"
        assert (await box.send(*(bytes([byte]) for byte in raw))).status == 200
