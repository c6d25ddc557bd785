"""The real CLI under a real runner with a port, through real gateways with ports: as in a cluster, without one."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from core.domain.errors import RunnerUnavailable
from core.domain.events import AnyEvent, Asked, Text, TextDelta, ToolReturned, TurnFinished, UserSaid, seq_of
from core.domain.records import SYSTEM, Box, Connection
from core.domain.states import SessionState
from core.protocol import handshake, tokens
from core.protocol.runner_api import Answer
from tests.core.gateway.cluster_gateways import say
from tests.core.gateway.cluster_processes import BOOT_KEY, INTERNET, LIMIT_S, ClusterProcesses, SessionClient, service
from tests.core.gateway.egress.proxy import server
from tests.core.gateway.egress.test_real_box import CANARY, page
from tests.core.gateway.gateway_harness import ALICE

HELLO = b"GET /api/hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LONG = "N=400 GAP=0.01"
WHOLE = " ".join(f"w{n}" for n in range(400))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[ClusterProcesses]:
    async with ClusterProcesses(tmp_path) as world:
        yield world


def texts(events: list[AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Text)]


def ended(events: list[AnyEvent]) -> bool:
    return any(isinstance(event, TurnFinished) for event in events)


async def whole(session: SessionClient) -> None:
    """The answer to LONG is in the Store, once, and so is what follows from it."""
    events = await session.kept(ended)
    assert [text.strip() for text in texts(events)] == [WHOLE]
    assert [seq_of(event) for event in events] == list(range(1, len(events) + 1))
    async with asyncio.timeout(LIMIT_S):
        while (await session.record()).last_seq < seq_of(events[-1]):
            await asyncio.sleep(0.05)
    assert (await session.record()).last_outcome == "ok"
    rows = await session.world.store.all_usage(owner=ALICE)
    assert {row["turns"] for row in rows.values() if "turns" in row} == {1.0}


async def test_a_turn_streams_asks_and_reaches_the_internet_through_the_bridge(tmp_path: Path) -> None:
    async with server(page) as port:
        internet = {"PYTHONPATH": str(INTERNET), "TEST_INTERNET": f"shop.example=93.184.215.14:{port}"}
        async with ClusterProcesses(tmp_path, **internet) as world:
            client = await world.bind(await world.box(), await world.runner((await world.gateway()).url))
            session = await world.session(client)
            async with session.watch() as watch:
                await session.say("TOOL(((curl -sS -m 20 http://shop.example/))) N=20")
                asked = await watch.until(Asked, limit_s=LIMIT_S)
                await client.answer(session.id, asked.request_id, Answer(decision="allow", by="me"))
                assert (await watch.until(TurnFinished, limit_s=LIMIT_S)).outcome == "ok"
            assert CANARY in str(watch.of(ToolReturned)[-1].content)
            assert len(watch.of(TextDelta)) > 3
            assert texts(await session.kept(ended))[-1].split()[-1] == "w19"
            async with asyncio.timeout(LIMIT_S):
                while not (rows := await world.store.find(Connection, owner=ALICE)):
                    await asyncio.sleep(0.05)
            assert [(row.host, row.decision, row.session) for row in rows] == [
                ("shop.example", "connected", session.id)
            ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_an_answer_is_whole_whatever_happens_to_its_gateway_meanwhile(
    world: ClusterProcesses, number: signal.Signals
) -> None:
    gateway = await world.gateway()
    client = await world.bind(await world.box(), await world.runner(gateway.url))
    session = await world.session(client)
    async with session.watch() as watch:
        await session.say(LONG)
        await watch.until(lambda event: isinstance(event, TextDelta) and "w50" in event.text, limit_s=LIMIT_S)
        ending = asyncio.create_task(gateway.end(number))
        if number is signal.SIGKILL:
            await ending  # otherwise the next one is there while this one finishes what it began
        await asyncio.sleep(0.5)
        await world.gateway(gateway.port)
        assert (await watch.until(TurnFinished, limit_s=LIMIT_S)).outcome == "ok"
        assert await ending == (0 if number is signal.SIGTERM else -signal.SIGKILL)
    await whole(session)


async def test_with_two_gateways_one_may_go_at_any_moment(world: ClusterProcesses) -> None:
    one, two = await world.gateway(), await world.gateway()
    async with service(one, two) as url:
        client = await world.bind(await world.box(), await world.runner(url))
        session = await world.session(client)
        async with session.watch() as watch:
            await session.say(LONG)
            await watch.until(lambda event: isinstance(event, TextDelta) and "w50" in event.text, limit_s=LIMIT_S)
            await one.end(signal.SIGKILL)
            assert (await watch.until(TurnFinished, limit_s=LIMIT_S)).outcome == "ok"
        await whole(session)


async def test_a_runner_told_to_end_in_a_turn_says_so_and_its_log_is_kept(world: ClusterProcesses) -> None:
    runner = await world.runner((await world.gateway()).url)
    box = await world.box()
    session = await world.session(await world.bind(box, runner))
    async with session.watch() as watch:
        await session.say("N=4000 GAP=0.02")
        await watch.until(lambda event: isinstance(event, TextDelta) and "w20" in event.text, limit_s=LIMIT_S)
        assert await runner.end(signal.SIGTERM) == 0
    events = await session.kept(ended)
    end = next(event for event in events if isinstance(event, TurnFinished))
    assert (end.outcome, end.reason) == ("interrupted", "shutdown")
    async with asyncio.timeout(LIMIT_S):
        while (await session.record()).state is not SessionState.ASLEEP:
            await asyncio.sleep(0.05)
    again = await world.runner(
        (await world.gateway()).url, port=runner.port
    )  # its pod starts it anew, over the same home
    later = SessionClient(world, await world.bind(box, again), session.id)
    async with later.watch() as watch:
        await later.say("SAY(((back)))")
        assert (await watch.until(lambda event: isinstance(event, Text) and event.text == "back", limit_s=LIMIT_S)).seq
    assert sum(isinstance(event, UserSaid) for event in watch.seen) == 2


async def test_the_boot_key_opens_what_is_nobodys_and_nothing_else(world: ClusterProcesses) -> None:
    runner = await world.runner((await world.gateway()).url)
    box = await world.box()
    whose = {"user": ALICE, "box": box.id, "key": box.key, "max_live_sessions": 4, "idle_cli_s": 600, "orphan_s": 900}

    async def call(method: str, path: str, token: str, body: object = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as http:
            async with http.request(method, runner.url + path, json=body, headers=headers) as answer:
                return answer.status, (await answer.json()).get("code", "")

    boot = tokens.sign({"sub": ALICE}, key=BOOT_KEY, audience=tokens.boot_audience(socket.gethostname()))
    own = tokens.sign({"sub": ALICE}, key=box.key, audience=f"runner:{box.id}")
    assert await call("GET", "/v1/status", boot) == (503, "dormant")
    for wrong in ("", own, tokens.sign({"sub": ALICE}, key=BOOT_KEY, audience=f"runner:{box.id}")):
        assert await call("POST", "/v1/init", wrong, whose) == (401, "bad_token")
    assert await call("POST", "/v1/init", boot, whose | {"user": "google-2"}) == (403, "forbidden")
    assert await call("POST", "/v1/init", boot, whose) == (200, "")
    for taken in (whose, whose | {"box": "box2", "key": "k" * 43}, whose | {"user": "google-2"}):
        assert await call("POST", "/v1/init", boot, taken) == (409, "bound")
    assert await call("GET", "/v1/status", boot) == (401, "bad_token")
    assert await call("POST", "/v1/stop", boot) == (401, "bad_token")
    assert await call("GET", "/v1/status", own) == (200, "")
    assert await call("POST", "/v1/init", own, whose) == (200, "")
    assert await call("POST", "/v1/init", own, whose | {"box": "box2"}) == (409, "bound")


async def test_a_web_that_comes_second_with_a_key_of_its_own_changes_nothing(world: ClusterProcesses) -> None:
    runner = await world.runner((await world.gateway()).url)
    first = await world.bind(await world.box(), runner)
    with pytest.raises(RunnerUnavailable):
        await world.bind(await world.box(id="box2"), runner)
    session = await world.session(first)
    async with session.watch() as watch:
        await session.say("SAY(((still here)))")
        await watch.until(TurnFinished, limit_s=LIMIT_S)
    assert texts(await session.kept(ended)) == ["still here"]


async def test_the_keys_are_in_nothing_that_the_agents_programs_can_read(world: ClusterProcesses) -> None:
    runner = await world.runner((await world.gateway()).url)
    box = await world.box()
    session = await world.session(await world.bind(box, runner), rules=("Bash",))
    pid = runner.process.pid
    look = f"cat /proc/{pid}/environ /proc/{pid}/cmdline | tr '\\\\0' ' '; env; head -c 1 /proc/{pid}/mem"
    async with session.watch() as watch:
        await session.say(f"TOOL((({look}; echo looked)))")
        await watch.until(TurnFinished, limit_s=LIMIT_S)
    said = str(watch.of(ToolReturned)[-1].content)
    assert "looked" in said and box.key not in said and BOOT_KEY not in said
    files = [path for path in (world.root / "home").rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.suffix == ".jsonl" for path in files), "the search finds what the CLI wrote"
    assert not [path for path in files if box.key.encode() in path.read_bytes()]


async def test_a_box_that_is_deleted_reaches_no_model_any_more(world: ClusterProcesses) -> None:
    gateway = await world.gateway()
    runner = await world.runner(gateway.url)
    box = await world.box()
    session = await world.session(await world.bind(box, runner))
    async with session.watch() as watch:
        await session.say("SAY(((one)))")
        await watch.until(TurnFinished, limit_s=LIMIT_S)
    await world.store.delete(Box, box.id, owner=SYSTEM)
    turns = len(world.model.turns)
    async with asyncio.timeout(LIMIT_S):
        while await say(gateway.port, handshake.encode(box.id, box.key) + HELLO):
            await asyncio.sleep(0.2)
    await session.say("SAY(((two)))")
    with pytest.raises(TimeoutError):
        await world.model.until(lambda asked: "two" in asked.prompt, timeout=5.0)
    assert len(world.model.turns) == turns
