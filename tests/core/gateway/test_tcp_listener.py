"""Tests of the one port for all boxes: the first line of a connection names its box, and all others are cut."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from itsdangerous import URLSafeTimedSerializer
from itsdangerous.timed import TimestampSigner

from core.config.settings import Secret
from core.domain.errors import Misconfigured
from core.domain.records import SYSTEM, Box, Session
from core.gateway.cluster_server import serve
from core.protocol import handshake, tokens
from tests.canary import KEY
from tests.core.gateway.cluster_gateways import ClusterBoxHttp, ClusterHarness, Gateway, listens, say
from tests.core.gateway.gateway_harness import ALICE, BOB, GatewayHarness, until
from tests.core.gateway.test_anthropic import served
from tests.timeouts import PATIENCE_S

CONNECT = b"CONNECT pypi.example:443 HTTP/1.1\r\n\r\n"


@pytest.fixture
async def cluster(harness: GatewayHarness) -> ClusterHarness:
    await harness.add_session(ALICE)
    return ClusterHarness(harness.settings, harness.store)


@pytest.fixture
async def gateway(cluster: ClusterHarness) -> AsyncIterator[Gateway]:
    async with cluster.cluster_gateway() as gateway:
        yield gateway


def ask(whose: Box, *, key: str = "") -> bytes:
    """A whole request of the runner's."""
    word = tokens.sign({}, key=key or whose.key, audience=tokens.box_audience(whose.id))
    return (
        f"POST /internal/spec HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {word}\r\n"
        'Content-Length: 16\r\nConnection: close\r\n\r\n{"session":"s1"}'
    ).encode()


def aged(box: Box, seconds: int) -> bytes:
    """The box's own line, as it was so long ago."""

    class Then(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - seconds

    made = URLSafeTimedSerializer(box.key, salt=handshake.AUDIENCE, signer=Then).dumps({"box": box.id})
    return f"OMA/1 {made}\r\n".encode()


def signed(whose: Box, *, key: str = "", audience: str = handshake.AUDIENCE, **claims: Any) -> bytes:
    return b"OMA/1 %s\r\n" % tokens.sign(claims or {"box": whose.id}, key=key or whose.key, audience=audience).encode()


async def test_after_its_first_line_a_connection_is_the_boxs(cluster: ClusterHarness, gateway: Gateway) -> None:
    box_http = ClusterBoxHttp(gateway.port, await cluster.cluster_box(ALICE))
    async with box_http.session() as http:
        for _ in range(3):  # on one connection: the line is said once
            async with http.post("http://gateway/internal/spec", json={"session": "s1"}) as answer:
                assert (await answer.json())["agent"]["id"] == "a1"
    assert (await box_http("POST", "/internal/spec", {"session": "none"})).status == 404


async def test_the_line_may_come_in_pieces_and_with_what_follows_it(cluster: ClusterHarness, gateway: Gateway) -> None:
    box = await cluster.cluster_box(ALICE)
    first, then = handshake.encode("box1", box.key), ask(box)
    assert b'"token"' in await say(gateway.port, first + then)
    assert b'"token"' in await say(gateway.port, first[:9], first[9:-1], first[-1:] + then[:5], then[5:], pause_s=0.02)


async def test_a_box_sees_what_is_its_users_and_nothing_else(cluster: ClusterHarness, gateway: Gateway) -> None:
    bobs = ClusterBoxHttp(gateway.port, await cluster.cluster_box(BOB, id="box2"))
    assert (await bobs("POST", "/internal/spec", {"session": "s1"})).status == 404


REFUSED = {
    "none": b"",
    "another protocol": b"OMA/2 a.b.c\r\n",
    "no token": b"OMA/1 \r\n",
    "half a token": b"OMA/1 abc\r\n",
    "noise": b"OMA/1 " + b"\xff" * 40 + b"\r\n",
    "noise that looks like one": b"OMA/1 a.b.c\r\n",
    "a compressed one": b"OMA/1 .eJyrVkrKr1CyUkrKr1CqBQAfUAQr.b.c\r\n",
    "a bare newline": b"\n",
    "too long": b"OMA/1 " + b"a" * 600,
    "TLS": bytes.fromhex("16030100a5010000a10303") + b"\n" * 3,
}


@pytest.mark.parametrize("name", REFUSED)
async def test_without_such_a_line_there_is_no_answer(cluster: ClusterHarness, gateway: Gateway, name: str) -> None:
    box = await cluster.cluster_box(ALICE)
    assert await say(gateway.port, REFUSED[name] + ask(box) + b"\n" * 600) == b""
    assert await say(gateway.port, REFUSED[name] + CONNECT + b"\n" * 600) == b""


async def test_a_line_is_good_for_its_own_box_and_for_a_minute(cluster: ClusterHarness, gateway: Gateway) -> None:
    box, other = await cluster.cluster_box(ALICE), await cluster.cluster_box(BOB, id="box2")
    refused = {
        "another box's key": signed(box, key=other.key),
        "another box's name": signed(box, key=other.key, box=other.id)[:-4] + b"xx\r\n",
        "nobody's": signed(box, key="k" * 43, box="box3"),
        "for another audience": signed(box, audience=f"runner:{box.id}"),
        "a model token": signed(box, audience=f"model:{box.id}"),
        "no box in it": signed(box, sub=ALICE),
        "a box that is no name": signed(box, box=["box1"]),
        "old": aged(box, 62),
        "of the future": aged(box, -60),
        "without its end": signed(box)[:-2] + b"\n",
    }
    assert {name for name, line in refused.items() if await say(gateway.port, line + ask(box))} == set()
    assert b'"token"' in await say(gateway.port, aged(box, 45) + ask(box))
    assert b'"token"' in await say(gateway.port, aged(box, -2) + ask(box))  # clocks of two machines


async def test_a_second_line_changes_nothing(cluster: ClusterHarness, gateway: Gateway) -> None:
    box, other = await cluster.cluster_box(ALICE), await cluster.cluster_box(BOB, id="box2")
    answer = await say(gateway.port, signed(box) + signed(other) + ask(box))
    assert answer.startswith(b"HTTP/1.0 400") or answer.startswith(b"HTTP/1.1 400")
    assert b'"token"' not in answer


async def test_a_probe_is_answered_without_a_box_and_gets_nothing_else(
    cluster: ClusterHarness, gateway: Gateway
) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{gateway.port}/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
    probe = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    assert (await say(gateway.port, probe + ask(await cluster.cluster_box(ALICE)))).count(b"HTTP/1.1") == 1
    assert await say(gateway.port, b"GET /healthz HTTP/1.1\r\n" + b"x: y\r\n" * 500) == b""
    for other in (b"GET /healthzz", b"POST /healthz", b"GET /v1/messages"):
        assert await say(gateway.port, other + b" HTTP/1.1\r\n\r\n") == b""


async def test_a_line_that_does_not_end_is_not_waited_for(cluster: ClusterHarness) -> None:
    async with cluster.cluster_gateway(line_s=600.0) as gateway:
        assert await say(gateway.port, b"OMA/1 " + b"a" * 600) == b""
        assert await say(gateway.port, b"GET /healthz HTTP/1.1\r\n" + b"x: y\r\n" * 200) == b""


async def test_two_boxes_at_once_are_never_taken_for_each_other(cluster: ClusterHarness, gateway: Gateway) -> None:
    await cluster.add_session(BOB, id="s2", agent="a2")
    mine, bobs = (
        ClusterBoxHttp(gateway.port, await cluster.cluster_box(ALICE)),
        ClusterBoxHttp(gateway.port, await cluster.cluster_box(BOB, id="b2")),
    )
    async with mine.session() as hers, bobs.session() as his:
        for http, session, status in ((hers, "s1", 200), (his, "s1", 404), (his, "s2", 200), (hers, "s2", 404)) * 3:
            async with http.post("http://gateway/internal/spec", json={"session": session}) as answer:
                assert (session, answer.status) == (session, status)


async def test_who_says_nothing_is_hung_up_on_after_a_time(cluster: ClusterHarness) -> None:
    async with cluster.cluster_gateway(line_s=0.3) as gateway:
        for begun in (b"", b"OMA/1 a", b"GET /healthz HTTP/1.1\r\n"):
            assert await say(gateway.port, begun) == b""
        box_http = ClusterBoxHttp(gateway.port, await cluster.cluster_box(ALICE))
        async with box_http.session() as http:  # once it is known, it may take its time
            for _ in range(2):
                async with http.post("http://gateway/internal/spec", json={"session": "s1"}) as answer:
                    assert answer.status == 200
                await asyncio.sleep(0.5)


async def test_one_address_has_so_many_undecided_connections(cluster: ClusterHarness, gateway: Gateway) -> None:
    open_ones = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(128)]
    assert await say(gateway.port, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
    for _, writer in open_ones:
        writer.close()
    async with asyncio.timeout(30):
        while not await say(gateway.port, b"GET /healthz HTTP/1.1\r\n\r\n"):
            await asyncio.sleep(0.05)


async def test_a_deleted_box_is_nobody_within_seconds(cluster: ClusterHarness) -> None:
    begun = asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.sleep(60)
        return web.Response()

    async with served(model) as url:
        real = replace(cluster.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=url)
        async with ClusterHarness(real, cluster.store).cluster_gateway() as gateway:
            box, stays = await cluster.cluster_box(ALICE), await cluster.cluster_box(BOB, id="box2")
            box_http = ClusterBoxHttp(gateway.port, box)
            token = (await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"]
            call = asyncio.create_task(box_http("POST", "/v1/messages", {"stream": True}, headers={"x-api-key": token}))
            await asyncio.wait_for(begun.wait(), 30)
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(signed(box))  # and one that has not yet said what it is
            await cluster.store.delete(Box, box.id, owner=SYSTEM)
            with pytest.raises(aiohttp.ClientError):
                await call
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()
            assert await say(gateway.port, signed(box) + ask(box)) == b""
            assert b"404" in await say(gateway.port, signed(stays) + ask(stays))


async def test_a_box_whose_key_is_another_one_now_is_another_box(cluster: ClusterHarness, gateway: Gateway) -> None:
    box = await cluster.cluster_box(ALICE)
    async with ClusterBoxHttp(gateway.port, box).session() as http:
        async with http.post("http://gateway/internal/spec", json={"session": "s1"}) as answer:
            assert (await answer.json())["agent"]["id"] == "a1"  # read to its end: the connection stays
        await other_key(cluster, gateway, box)
        with pytest.raises(aiohttp.ClientError):  # this connection's, too
            await http.post("http://gateway/internal/spec", data=b"x")


async def other_key(cluster: ClusterHarness, gateway: Gateway, box: Box) -> None:
    await cluster.store.put(msgspec.structs.replace(box, key="n" * 43), owner=SYSTEM)
    async with asyncio.timeout(PATIENCE_S):
        while await say(gateway.port, signed(box) + ask(box)):
            await asyncio.sleep(0.05)
    assert b'"token"' in await say(gateway.port, signed(box, key="n" * 43) + ask(box, key="n" * 43))


async def test_a_session_token_of_one_box_is_nothing_on_anothers_connection(
    cluster: ClusterHarness, gateway: Gateway
) -> None:
    mine, mine_too = await cluster.cluster_box(ALICE), await cluster.cluster_box(ALICE, id="box2")
    bobs = await cluster.cluster_box(BOB, id="box3")
    token = (await ClusterBoxHttp(gateway.port, mine)("POST", "/internal/spec", {"session": "s1"})).body["token"]
    assert (
        await ClusterBoxHttp(gateway.port, mine)("POST", "/v1/messages", {}, headers={"x-api-key": token})
    ).status == 200
    for box in (mine_too, bobs):
        stolen = await ClusterBoxHttp(gateway.port, box)("POST", "/v1/messages", {}, headers={"x-api-key": token})
        assert stolen.status == 400 and "bad_token" in str(stolen.body)
        assert b" 407 " in await say(gateway.port, signed(box) + proxied(token))
    assert b" 407 " not in await say(gateway.port, signed(mine) + proxied(token))
    await cluster.store.delete(Session, "s1", owner=ALICE)
    assert (
        await ClusterBoxHttp(gateway.port, mine)("POST", "/v1/messages", {}, headers={"x-api-key": token})
    ).status == 404


def proxied(token: str) -> bytes:
    """A way out to where nobody may go, with these credentials."""
    basic = b64encode(f"oma:{token}".encode())
    return b"CONNECT 10.0.0.1:443 HTTP/1.1\r\nProxy-Authorization: Basic %s\r\n\r\n" % basic


async def test_two_gateways_know_the_same_boxes_and_each_others_tokens(
    cluster: ClusterHarness, gateway: Gateway
) -> None:
    async with cluster.cluster_gateway() as second:
        box = await cluster.cluster_box(ALICE)
        token = (await ClusterBoxHttp(gateway.port, box)("POST", "/internal/spec", {"session": "s1"})).body["token"]
        other = ClusterBoxHttp(second.port, box)
        assert (await other("POST", "/v1/messages", {}, headers={"x-api-key": token})).status == 200


async def test_told_to_end_it_takes_nobody_new_and_finishes_what_it_began(cluster: ClusterHarness) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def model(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"event: ping\ndata: {}\n\n")
        begun.set()
        await go_on.wait()
        await answer.write(b"event: message_stop\ndata: {}\n\n")
        return answer

    async with served(model) as url:
        real = replace(cluster.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=url)
        async with ClusterHarness(real, cluster.store).cluster_gateway(drain_s=30.0) as gateway:
            box_http = ClusterBoxHttp(gateway.port, await cluster.cluster_box(ALICE))
            token = (await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"]
            call = asyncio.create_task(box_http("POST", "/v1/messages", {"stream": True}, headers={"x-api-key": token}))
            await asyncio.wait_for(begun.wait(), 30)
            gateway.stop.set()
            await until(lambda: not listens(gateway.port))
            assert not gateway.task.done()
            go_on.set()
            assert b"message_stop" in (await call).body
            await asyncio.wait_for(gateway.task, 30)


async def test_a_stream_that_does_not_end_is_cut_at_the_bound(cluster: ClusterHarness) -> None:
    async def model(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with served(model) as url:
        real = replace(cluster.settings, model="anthropic", anthropic_api_key=Secret(KEY), anthropic_base_url=url)
        async with ClusterHarness(real, cluster.store).cluster_gateway(drain_s=0.3) as gateway:
            box_http = ClusterBoxHttp(gateway.port, await cluster.cluster_box(ALICE))
            token = (await box_http("POST", "/internal/spec", {"session": "s1"})).body["token"]
            call = asyncio.create_task(box_http("POST", "/v1/messages", {"stream": True}, headers={"x-api-key": token}))
            await asyncio.sleep(0.2)
            gateway.stop.set()
            await asyncio.wait_for(gateway.task, 30)
            await asyncio.gather(call, return_exceptions=True)


async def test_a_port_that_is_taken_is_said_in_one_line(cluster: ClusterHarness, gateway: Gateway) -> None:
    settings = replace(cluster.settings, spawner="kubernetes", gateway_port=gateway.port)
    with pytest.raises(Misconfigured, match="OMA_GATEWAY_PORT"):
        await serve(settings, cluster.store, asyncio.Event())
