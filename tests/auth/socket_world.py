"""A small server in a process of its own, people with logins and pages on it, and sockets spoken by hand."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import httpx2

from auth.accounts import upsert_user
from auth.claims import Identity
from auth.logins import Logins
from core.store.sqlite import SqliteStore
from tests.auth.mini_app import KEY
from tests.product import free_port
from tests.timeouts import PATIENCE_S, START_S
from tests.tls import TLS


@dataclass
class Server:
    """The mini application in a process of its own, and what it printed."""

    port: int
    database: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    more: threading.Condition = field(default_factory=threading.Condition)

    def pressed(self) -> list[str]:
        """Return the people whose press of the button was received, in order."""
        return [line for line in self.lines if line.startswith("pressed by")]

    def errors(self) -> list[str]:
        """Return errors that no attack may make the server log."""
        return [line for line in self.lines if "ERROR" in line or line.startswith("Traceback")]

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
                return self.more.wait_for(lambda: any(found.startswith(line) for found in self.lines), PATIENCE_S)

        assert await asyncio.to_thread(wait), self.lines


@contextmanager
def mini_server(folder: Path) -> Iterator[Server]:
    """The server while the context is open."""
    port, database = free_port(), folder / "oma.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.auth.mini_app", str(port), str(database)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Server(port=port, database=database, process=process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{running.base}/login", verify=TLS, timeout=START_S)
            break
        except httpx2.ConnectError:
            time.sleep(0.05)
    yield running
    process.send_signal(signal.SIGINT)
    process.wait(START_S)
    reader.join(START_S)
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

    async def census(self) -> dict[str, int]:
        """Return the server's counts of sockets, sids, clients and tasks, and its RSS."""
        async with httpx2.AsyncClient(verify=TLS, timeout=PATIENCE_S) as http:
            found: dict[str, int] = (await http.get(f"{self.server.base}/theme/census")).json()
        return found

    async def settled(self, *, within_s: float = PATIENCE_S) -> dict[str, int]:
        """The census once no socket is left. Raises: TimeoutError."""
        async with asyncio.timeout(within_s):
            while (left := await self.census())["sockets"] or left["sids"]:
                await asyncio.sleep(0.1)
        return left

    async def person(self, name: str) -> Person:
        user = await upsert_user(self.store, Identity(issuer="https://idp.test", subject=name, name=name), admin=False)
        cookie = await self.logins.start(user)
        signed = await self.logins.find(cookie)
        assert signed
        return Person(id=user.id, cookie=cookie, login=signed.login.id)

    async def open(self, person: Person | None, path: str = "/dashboard") -> Page:
        async with httpx2.AsyncClient(
            verify=TLS, timeout=PATIENCE_S, cookies={"oma": person.cookie} if person else {}
        ) as browser:
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
        async with asyncio.timeout(PATIENCE_S):
            message = await self.socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return ""
        if message.data == "2":
            await self.socket.send_str("3")
        self.seen.append(message.data)
        return str(message.data)

    async def joined(self) -> bool:
        """Say hello and hear whether we are let in."""
        try:
            await self.socket.send_str("40")
        except ConnectionError:  # closed on us already
            return False
        async with asyncio.timeout(PATIENCE_S):
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
        async with asyncio.timeout(PATIENCE_S):
            while await self.next():
                pass
        return time.monotonic() - start


@asynccontextmanager
async def peer(
    page: Page,
    *,
    cookies: dict[str, str] | None = None,
    origin: str | None = "",
    headers: dict[str, str] | None = None,
    path: str = "/_nicegui_ws/socket.io/",
    tail: str = "",
    compress: int = 0,
    **query: str,
) -> AsyncIterator[Peer]:
    """A socket for this page's client_id; with the page's own cookies and origin unless told otherwise."""
    asked = {
        "EIO": "4", "transport": "websocket", "client_id": page.client_id, "implicit_handshake": "true",
        "tab_id": "t1", "document_id": "d1", "next_message_id": "0", **query,
    }  # fmt: skip
    sent = dict(headers or {}) | ({} if origin is None else {"Origin": origin or page.server.base})
    given = page.cookies if cookies is None else cookies
    if given:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in given.items())
    url = f"{page.server.base}{path}?{urlencode({k: v for k, v in asked.items() if v})}{tail}"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=sent, compress=compress) as socket,
    ):
        yield Peer(socket)
