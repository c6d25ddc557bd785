"""Attacks on NiceGUI's socket, with real sockets and a real browser against a real server."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import httpx2
import pytest
from playwright.async_api import async_playwright

from auth.accounts import arrive
from auth.claims import Identity
from auth.logins import Logins
from core.model import SYSTEM, User
from core.store.sqlite import SqliteStore
from tests.auth.conftest import KEY, free_port

CHROMIUM = (
    "--no-sandbox --headless=new --disable-gpu --disable-background-networking --no-first-run "
    "--disable-component-update --disable-sync"
).split()
SOON_S = 8.0


@dataclass
class Server:
    """The mini application in a process of its own, and what it printed."""

    port: int
    database: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self.more:
                self.lines.append(line.strip())
                self.more.notify_all()

    async def printed(self, line: str) -> None:
        """Wait until this was printed."""

        def wait() -> bool:
            with self.more:
                return self.more.wait_for(lambda: any(found.startswith(line) for found in self.lines), SOON_S)

        assert await asyncio.to_thread(wait), self.lines


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, database = free_port(), tmp_path_factory.mktemp("mini") / "oma.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.auth.mini_app", str(port), str(database)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Server(port=port, database=database, process=process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{running.base}/login")
            break
        except httpx2.ConnectError:
            time.sleep(0.05)
    yield running
    process.send_signal(signal.SIGINT)
    process.wait(10)
    reader.join(5)
    assert process.stdout
    process.stdout.close()


@dataclass
class Page:
    """A page as its browser has it: the cookies, and what is written in the HTML."""

    server: Server
    cookies: dict[str, str]
    client_id: str
    button: int
    listener: str
    user: str

    def press(self) -> list[object]:
        arguments = {"id": self.button, "client_id": self.client_id, "listener_id": self.listener, "args": []}
        return ["event", arguments]


@dataclass
class Person:
    """Somebody with a login, made by another process on the same store."""

    id: str
    cookie: str
    login: str


class World:
    """The server, and the store beside it."""

    def __init__(self, server: Server, store: SqliteStore) -> None:
        self.server, self.store, self.logins = server, store, Logins(store, [KEY])

    async def person(self, name: str) -> Person:
        user = await arrive(self.store, Identity(issuer="https://idp.test", subject=name, name=name), admin=False)
        cookie = await self.logins.start(user)
        signed = await self.logins.find(cookie)
        assert signed
        return Person(id=user.id, cookie=cookie, login=signed.login.id)

    async def open(self, person: Person | None, path: str = "/dashboard") -> Page:
        async with httpx2.AsyncClient(cookies={"oma": person.cookie} if person else {}) as browser:
            answer = await browser.get(self.server.base + ("/login" if person is None else path))
            assert answer.status_code == 200
            found = re.search(r"'client_id': '([^']+)'", answer.text)
            press = re.search(r'"(\d+)":\{"tag":"q-btn".*?"listener_id":"([^"]+)","type":"click"', answer.text)
            assert found
            assert press
            cookies = dict(browser.cookies)
        return Page(
            server=self.server,
            cookies=cookies,
            client_id=found[1],
            button=int(press[1]),
            listener=press[2],
            user=person.id if person else "nobody",
        )


class Peer:
    """A socket, spoken by hand: Engine.IO 4 and Socket.IO 5."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.seen: list[str] = []

    async def next(self) -> str:
        """The next message; empty: it was closed."""
        async with asyncio.timeout(SOON_S):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return ""
        if message.data == "2":
            await self.socket.send_str("3")
        self.seen.append(message.data)
        return str(message.data)

    async def joined(self) -> bool:
        """Say hello and hear whether we are let in."""
        await self.socket.send_str("40")
        while message := await self.next():
            if message.startswith("40"):
                return True
            if message.startswith("44"):
                return False
        return False

    async def emit(self, words: list[object], id: str = "") -> None:
        await self.socket.send_str(f"42{id}{json.dumps(words)}")

    async def closed(self) -> float:
        """Seconds until it is closed."""
        start = time.monotonic()
        async with asyncio.timeout(SOON_S):
            while await self.next():
                pass
        return time.monotonic() - start


@asynccontextmanager
async def peer(
    page: Page, *, cookies: dict[str, str] | None = None, origin: str | None = "", **query: str
) -> AsyncIterator[Peer]:
    """A socket for this page's client_id; with the page's own cookies and origin unless told otherwise."""
    asked = {
        "EIO": "4", "transport": "websocket", "client_id": page.client_id, "implicit_handshake": "true",
        "tab_id": "t1", "document_id": "d1", "next_message_id": "0", **query,
    }  # fmt: skip
    headers = {} if origin is None else {"Origin": origin or page.server.base}
    given = page.cookies if cookies is None else cookies
    if given:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in given.items())
    url = f"{page.server.base}/_nicegui_ws/socket.io/?{urlencode({k: v for k, v in asked.items() if v})}"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as socket:
        yield Peer(socket)


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    async with await SqliteStore.open(server.database) as store:
        server.lines.clear()
        yield World(server, store)


async def only_the_honest_press_is_heard(world: World) -> None:
    """Whatever was tried before, an honest press now is the first that the server hears of."""
    honest = await world.person("honest")
    page = await world.open(honest)
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(page.press())
        await world.server.printed(f"pressed by {honest.id}")
    assert [line for line in world.server.lines if line] == [f"pressed by {honest.id}"]


async def test_an_honest_user_works(world: World) -> None:
    await only_the_honest_press_is_heard(world)


async def test_no_cookie_and_a_stolen_client_id_is_refused(world: World) -> None:
    page = await world.open(await world.person("alice"))
    async with peer(page, cookies={}) as socket:
        assert not await socket.joined()
        await socket.emit(page.press())
        assert await socket.closed() < 3
    await only_the_honest_press_is_heard(world)


async def test_another_users_cookie_and_a_stolen_client_id_is_refused(world: World) -> None:
    page, mallory = await world.open(await world.person("alice")), await world.person("mallory")
    for hello in ("true", ""):
        async with peer(page, cookies={"oma": mallory.cookie}, implicit_handshake=hello) as socket:
            assert not await socket.joined()
            await socket.emit(page.press())
            assert await socket.closed() < 3
    await only_the_honest_press_is_heard(world)


async def test_a_second_login_of_the_same_user_is_not_the_login_of_the_page(world: World) -> None:
    page, again = await world.open(await world.person("alice")), await world.person("alice")
    async with peer(page, cookies={"oma": again.cookie}) as socket:
        assert not await socket.joined()


async def test_from_ones_own_page_nothing_can_be_said_about_another_page(world: World) -> None:
    alices = await world.open(await world.person("alice"))
    mallorys = await world.open(await world.person("mallory"))
    async with peer(alices) as victim, peer(mallorys) as socket:
        assert await victim.joined()
        assert await socket.joined()
        await socket.emit(alices.press())
        hello = {"client_id": alices.client_id, "tab_id": "t1", "document_id": "d9", "next_message_id": 0}
        await socket.emit(["handshake", hello], id="7")
        await socket.emit(["javascript_response", {"client_id": alices.client_id, "request_id": "x", "result": 1}])
        await socket.emit(["ack", {"client_id": alices.client_id, "next_message_id": 10**9}])
        await socket.emit(["log", {"client_id": alices.client_id, "level": "error", "message": "FORGED\nline"}])
        while not (answer := await socket.next()).startswith("437"):
            pass
        assert answer == "437[false]"
        await victim.emit(alices.press())
        await world.server.printed("pressed by")
    assert world.server.lines == [f"pressed by {alices.user}"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.test", "null", None, "http://127.0.0.1", "http://127.0.0.1:1", "BASE.evil.test", "https://BASE"],
)
async def test_a_socket_of_another_origin_is_closed_before_it_opens(world: World, origin: str | None) -> None:
    page = await world.open(await world.person("alice"))
    if origin is not None:
        origin = origin.replace("https://BASE", world.server.base.replace("http", "https"))
        origin = origin.replace("BASE", world.server.base)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with peer(page, origin=origin):
            pass
    assert refused.value.status == 403


async def test_a_login_ended_by_another_process_loses_its_sockets_within_two_seconds(world: World) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    async with peer(page) as socket:
        assert await socket.joined()
        await world.logins.revoke(alice.login)
        assert await socket.closed() < 2.5  # 2 s, and a moment for the machine
        assert any("try_reconnect" in message for message in socket.seen)
    async with peer(page) as socket:
        assert not await socket.joined()
    await only_the_honest_press_is_heard(world)


async def test_a_disabled_users_sockets_are_closed(world: World) -> None:
    alice = await world.person("alice-disabled")
    async with peer(await world.open(alice)) as socket:
        assert await socket.joined()
        await world.store.change(User, alice.id, owner=SYSTEM, disabled=True)
        assert await socket.closed() < 2.5


async def test_signing_out_closes_all_sockets_of_the_login_and_no_others(world: World) -> None:
    alice, bob = await world.person("alice"), await world.person("bob")
    pages = [await world.open(alice), await world.open(alice)]
    bobs = await world.open(bob)
    async with peer(pages[0]) as first, peer(pages[1]) as second, peer(bobs) as other:
        assert [await socket.joined() for socket in (first, second, other)] == [True] * 3
        async with httpx2.AsyncClient(cookies={"oma": alice.cookie}) as browser:
            answer = await browser.post(f"{world.server.base}/auth/logout", headers={"origin": world.server.base})
            assert answer.status_code == 303
        await first.emit(pages[0].press())  # too late
        assert await first.closed() < 2
        assert await second.closed() < 2
        await other.emit(bobs.press())
        await world.server.printed(f"pressed by {bob.id}")
    assert world.server.lines == [f"pressed by {bob.id}"]


async def test_an_anonymous_page_belongs_to_the_browser_that_loaded_it(world: World) -> None:
    page, elsewhere = await world.open(None), await world.open(None)
    mallory = await world.person("mallory")
    for cookies in ({}, elsewhere.cookies, {"oma-visit": "a" * 32}, {"oma": mallory.cookie}):
        async with peer(page, cookies=cookies) as thief:
            assert not await thief.joined()
            await thief.emit(page.press())
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(page.press())
        await world.server.printed("pressed by nobody")
    assert world.server.lines == ["pressed by nobody"]


@pytest.mark.parametrize("client_id", ["", "unknown"])
async def test_a_socket_for_no_page_is_closed(world: World, client_id: str) -> None:
    page = await world.open(await world.person("alice"))
    async with peer(page, client_id=client_id) as socket:
        assert not await socket.joined()
        assert await socket.closed() < 3


async def test_a_socket_that_says_nothing_is_closed(world: World) -> None:
    async with peer(await world.open(await world.person("alice"))) as socket:
        assert (await socket.next()).startswith("0")
        assert await socket.closed() < 8


async def test_polling_is_no_way_in(world: World) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    url = f"{world.server.base}/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page.client_id}"
    async with httpx2.AsyncClient() as stranger, httpx2.AsyncClient(cookies={"oma": alice.cookie}) as browser:
        assert (await stranger.get(url)).status_code == 401
        assert (await browser.get(url)).status_code == 400


async def test_refused_sockets_leave_nothing_behind(world: World) -> None:
    page = await world.open(await world.person("alice"))

    async def census(http: httpx2.AsyncClient) -> dict[str, Any]:
        found: dict[str, Any] = (await http.get(f"{world.server.base}/auth/census")).json()
        return found

    async with httpx2.AsyncClient() as http, asyncio.timeout(20):
        while (await census(http))["sockets"]:  # of earlier tests
            await asyncio.sleep(0.2)
        for _ in range(30):
            async with peer(page, cookies={}) as socket:
                assert not await socket.joined()
        while (left := await census(http)) != {"sockets": 0, "sids": 0, "tasks": 0}:
            assert left["sockets"] <= 30
            await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "words",
    [
        ["event"], ["event", None], ["event", 7], ["event", {}], ["event", {}, {}], ["event", {"client_id": "ID"}],
        ["event", {"client_id": "ID", "id": "x", "listener_id": 1, "args": 1}],
        ["event", {"client_id": "ID", "id": 4, "listener_id": "x", "args": [{"a": 1}]}],
        ["event", {"client_id": ["ID"]}], ["handshake"], ["handshake", {"client_id": "ID"}],
        ["ack", {"client_id": "ID"}],
        ["ack", {"client_id": "ID", "next_message_id": "x"}], ["javascript_response", {"client_id": "ID"}],
        ["log", {"client_id": "ID", "level": "x", "message": 1}], ["log", {"client_id": "ID"}], ["nonsense", 1],
        ["connect", {}], ["disconnect"],
    ],
)  # fmt: skip
async def test_malformed_words_change_nothing_and_write_no_error(world: World, words: list[Any]) -> None:
    alice = await world.person("alice")
    page = await world.open(alice)
    sent = json.loads(json.dumps(words).replace('"ID"', f'"{page.client_id}"'))
    async with peer(page) as socket:
        assert await socket.joined()
        await socket.emit(sent)
    await only_the_honest_press_is_heard(world)


async def test_in_a_real_browser_the_honest_user_works_and_is_sent_to_sign_in_when_the_login_ends(
    world: World,
) -> None:
    alice = await world.person("김앨리스")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        context = await browser.new_context()
        await context.add_cookies([{"name": "oma", "value": alice.cookie, "url": world.server.base}])
        page = await context.new_page()
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", lambda message: broken.append(message.text) if message.type == "error" else None)
        await page.goto(f"{world.server.base}/dashboard")
        await page.get_by_text("김앨리스").wait_for()
        await page.wait_for_function("window.did_handshake === true")
        await page.get_by_text("press").click()
        await world.server.printed(f"pressed by {alice.id}")
        assert broken == []
        await world.logins.revoke(alice.login)
        await page.wait_for_url("**/login?next=%2Fdashboard", timeout=5000)
        await page.wait_for_function("window.did_handshake === true")
        await page.get_by_text("press").click()
        await world.server.printed("pressed by nobody")
        await browser.close()
