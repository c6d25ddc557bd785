"""Requests and sockets by the thousand from one hostile corner: the others go on working, and memory stays bounded.

The figures are printed: `pytest -m flood -s`.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import httpx2
import psutil
import pytest

from auth.body_limits import MAX_BODY_BYTES
from auth.sockets import WAITING
from core.store.sqlite import SqliteStore
from tests.auth.socket_world import Page, Server, World, peer
from tests.product import free_port
from tests.timeouts import PATIENCE_S, START_S
from tests.tls import TLS

pytestmark = pytest.mark.flood

REQUESTS = 1500
AT_ONCE = 20
HONEST = "127.0.0.2"  # the honest user's address; the flood comes from 127.0.0.1
GROWTH = 64 * 2**20


class Honest:
    """Somebody at another address who loads a page again and again; how long that took."""

    def __init__(self, base: str, cookies: dict[str, str], path: str) -> None:
        self.url, self.cookies, self.took = base + path, cookies, list[float]()

    async def visits(self, times: int) -> list[float]:
        """Milliseconds of each, sorted."""
        transport = httpx2.AsyncHTTPTransport(local_address=HONEST)
        took = []
        async with httpx2.AsyncClient(transport=transport, cookies=self.cookies, timeout=PATIENCE_S) as browser:
            for _ in range(times):
                began = time.monotonic()
                assert (await browser.get(self.url)).status_code == 200
                took.append(1000 * (time.monotonic() - began))
        return sorted(took)


def p95(took: list[float]) -> float:
    return took[int(len(took) * 0.95)]


async def flooded(base: str, path: str, cookies: dict[str, str], headers: dict[str, str]) -> Counter[int]:
    """Return the statuses of REQUESTS requests."""
    found: Counter[int] = Counter()
    left = iter(range(REQUESTS))
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), headers=headers) as client:

        async def ask() -> None:
            for _ in left:
                cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
                sent = {"Cookie": cookie} if cookie else {}
                async with client.get(base + path, headers=sent, allow_redirects=False) as answer:
                    await answer.read()
                    found[answer.status] += 1

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    return found


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The whole front with the real /login."""
    port, folder = free_port(), tmp_path_factory.mktemp("front")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.serve_front", str(port), str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    json.loads(process.stdout.readline())
    yield Server(port=port, database=folder / "oma.db", process=process)
    process.terminate()
    process.wait(15)
    process.stdout.close()


async def answers(base: str) -> None:
    async with httpx2.AsyncClient(verify=TLS, timeout=START_S) as client, asyncio.timeout(START_S):
        while True:
            with contextlib.suppress(httpx2.ConnectError):
                await client.get(f"{base}/healthz")
                return
            await asyncio.sleep(0.05)


@pytest.fixture
async def whole(front: Server) -> AsyncIterator[World]:
    await answers(front.base)
    async with await SqliteStore.open(front.database) as store:
        yield World(front, store)


async def test_a_flood_of_the_sign_in_page_is_cut_off_and_a_user_goes_on_working(whole: World) -> None:
    alice = await whole.person("alice")
    honest = Honest(whole.server.base, {"oma": alice.cookie}, "/dashboard")
    process = psutil.Process(whole.server.process.pid)
    calm, before = await honest.visits(40), process.memory_info().rss
    flood = asyncio.create_task(
        flooded(whole.server.base, "/login", {}, {"Accept": "text/html", "Accept-Language": "en"})
    )
    began = time.monotonic()
    busy = await honest.visits(40)
    found = await flood
    grown = process.memory_info().rss - before
    print(
        f"/login x {REQUESTS}: {dict(found)} in {time.monotonic() - began:.1f} s; a user's page p95"
        f" {p95(calm):.0f} ms before, {p95(busy):.0f} ms meanwhile; memory +{grown / 2**20:.1f} MB"
    )
    assert set(found) == {200, 429}
    assert found[429] > REQUESTS / 2
    assert grown < GROWTH


async def test_whoever_is_refused_is_told_in_their_language_and_when_to_come_again(whole: World) -> None:
    async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S, headers={"accept": "text/html"}) as browser:
        await flooded(whole.server.base, "/login", {}, {})
        for language, sentence in (("ko", "다시 시도해 주세요"), ("en", "Try again in")):
            answer = await browser.get(f"{whole.server.base}/login", headers={"accept-language": language})
            assert (answer.status_code, f'lang="{language}"' in answer.text) == (429, True)
            assert sentence in answer.text
            assert answer.headers["retry-after"] in answer.text


async def test_a_user_who_only_loads_pages_fills_no_memory_and_slows_nobody(world: World) -> None:
    mallory, alice = await world.person("mallory-loads"), await world.person("alice")
    honest = Honest(world.server.base, {"oma": alice.cookie}, "/dashboard")
    before = await world.census()
    flood = asyncio.create_task(flooded(world.server.base, "/dashboard", {"oma": mallory.cookie}, {}))
    busy = await honest.visits(20)
    found = await flood
    async with asyncio.timeout(PATIENCE_S):
        while (left := await world.census())["clients"] > before["clients"] + 2 * WAITING:
            await asyncio.sleep(0.2)
    grown = (left["rss"] - before["rss"]) / 2**20
    print(f"pages x {REQUESTS}: {dict(found)}; p95 of another {p95(busy):.0f} ms; memory +{grown:.1f} MB")
    assert set(found) == {200, 429}
    assert left["rss"] - before["rss"] < GROWTH


async def test_a_thousand_sockets_for_no_page_are_refused_before_they_open_and_leave_no_task(world: World) -> None:
    mallory = await world.person("mallory-sockets")
    page = Page(
        server=world.server, cookies={"oma": mallory.cookie}, client_id="", button=0, listener="", user=mallory.id
    )
    before = await world.settled()
    left = iter(range(1000))
    found: Counter[int] = Counter()

    async def knock() -> None:
        for _ in left:
            try:
                async with peer(page):
                    found[101] += 1
            except aiohttp.WSServerHandshakeError as error:
                found[error.status] += 1

    await asyncio.gather(*(knock() for _ in range(AT_ONCE)))
    assert dict(found) == {403: 1000}
    async with asyncio.timeout(PATIENCE_S):
        while (after := await world.census())["tasks"] > before["tasks"]:
            await asyncio.sleep(0.1)
    print(f"sockets for no page x 1000: refused {found[403]}; tasks {before['tasks']} -> {after['tasks']}")


async def test_a_thousand_events_a_second_cut_the_socket_and_move_nobody_elses_page(world: World) -> None:
    alice, mallory = await world.person("alice-calm"), await world.open(await world.person("mallory-events"))
    honest = Honest(world.server.base, {"oma": alice.cookie}, "/dashboard")
    calm = await honest.visits(60)
    said = f"42{json.dumps(mallory.press())}"
    sent = list[int]()

    async def rages() -> None:
        """A socket that sends a thousand a second until it is cut, then the next one."""
        for _ in range(5):
            async with peer(mallory) as socket:
                assert await socket.joined()
                sent.append(0)
                with contextlib.suppress(ConnectionError):
                    while sent[-1] < 3000 and not socket.socket.closed:
                        await socket.socket.send_str(said)
                        sent[-1] += 1
                        if sent[-1] % 10 == 0:
                            await asyncio.sleep(0.01)
                assert await socket.closed() < 3

    rage = asyncio.create_task(rages())
    busy = await honest.visits(60)
    await rage
    pressed = len(world.server.pressed())
    print(
        f"events at 1,000 a second: cut after {sent}, {pressed} heard of {sum(sent)}; another's page p95"
        f" {p95(calm):.0f} ms before, {p95(busy):.0f} ms meanwhile"
    )
    assert max(sent) < 3000, "cut, not ended by itself"
    assert pressed < sum(sent) / 2
    assert world.server.errors() == []


async def test_a_body_over_the_limit_is_refused_before_it_is_read(world: World, tmp_path: Path) -> None:
    alice = await world.person("alice")
    head = (
        f"POST /api/v1/echo HTTP/1.1\r\nHost: 127.0.0.1:{world.server.port}\r\nOrigin: {world.server.base}\r\n"
        f"Cookie: oma={alice.cookie}\r\n"
    )
    for declared in (f"Content-Length: {10**10}", "Transfer-Encoding: chunked"):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
        writer.write(f"{head}{declared}\r\n\r\n".encode())
        sent = 0
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while declared.startswith("T") and sent < 64 * 2**20:
                    writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                    await writer.drain()
                    sent += 65536
            answer = b""
            with contextlib.suppress(ConnectionError):  # closed on us who are still sending: the rest is not read
                answer = await reader.read(65536)
                while await reader.read(65536):
                    pass
        assert b" 413 " in answer.splitlines()[0] if answer else sent
        assert sent < 8 * MAX_BODY_BYTES
        writer.close()


async def test_headers_without_end_are_not_kept(world: World) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    writer.write(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Long: ")
    sent = 0
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(PATIENCE_S):
            while sent < 64 * 2**20:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent += 65536
    assert sent < 8 * 2**20
    writer.close()
