"""A local gateway in the test's own loop: real sockets, the real store, and processes of the test as boxes."""

import asyncio
import io
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from core.config import runtime_dir
from core.config.runtime_dir import Process, Runtime
from core.config.settings import Settings
from core.domain.events import AnyEvent, encode_many
from core.domain.records import SYSTEM, Agent, Box, Session, UserId, now
from core.gateway.local_server import serve
from core.protocol import tokens
from core.store.sqlite import SqliteStore
from tests.timeouts import PATIENCE_S

ALICE, BOB = UserId("google-1"), UserId("google-2")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to an HTTP call."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class BoxHttp:
    """HTTP calls over one unix socket, as a box or the web makes them."""

    def __init__(self, socket: Path, box: Box | None = None) -> None:
        self.socket, self.box = socket, box

    @property
    def word(self) -> dict[str, str]:
        """The authorization header of the runner's own calls."""
        if self.box is None:
            return {}
        return {
            "Authorization": f"Bearer {tokens.sign({}, key=self.box.key, audience=tokens.box_audience(self.box.id))}"
        }

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        raw = io.BytesIO(data if data is not None else b"" if body is None else msgspec.json.encode(body))
        async with (
            self.session() as http,
            http.request(
                method,
                f"http://gateway{path}",
                data=raw,
                headers={"content-type": "application/json", **(headers or {})},
            ) as answer,
        ):
            text = await answer.read()
            is_json = "json" in answer.headers.get("content-type", "")
            return Answer(answer.status, msgspec.json.decode(text) if is_json else text, dict(answer.headers))

    @asynccontextmanager
    async def session(self) -> AsyncIterator[aiohttp.ClientSession]:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        road = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=road, timeout=timeout, headers=self.word) as http:
            yield http


@dataclass
class GatewayHarness:
    """A data directory with its store, in which `gateway()` runs a gateway."""

    settings: Settings
    store: SqliteStore

    @property
    def runtime(self) -> Runtime:
        return runtime_dir.make(self.settings)

    @property
    def control(self) -> BoxHttp:
        return BoxHttp(self.settings.runtime_dir / "gateway.sock")

    def box_http(self, box: Box) -> BoxHttp:
        return BoxHttp(Path(box.spawner_state["dir"]) / "out" / "box.sock", box)

    @asynccontextmanager
    async def gateway(self, **times: float) -> AsyncIterator[asyncio.Task[None]]:
        """Run a gateway while the context is open; it must end without an error."""
        stop = asyncio.Event()
        task = asyncio.create_task(serve(self.settings, self.store, stop, **times))
        try:
            await until(lambda: (self.settings.runtime_dir / "gateway.sock").is_socket() or task.done())
            yield task
        finally:
            stop.set()
            await asyncio.wait_for(task, PATIENCE_S)

    async def box(self, user: UserId, process: Process, *, id: str = "box1") -> Box:
        """Make a box as spawner and web do: a directory, a process and a record."""
        folder = self.runtime.make_box(id)
        memory = {"pid": process.pid, "start": process.start, "dir": str(folder)}
        box = Box(id=id, user=user, key="k", spawner_state=memory, started_at=now())
        await self.store.put(box, owner=SYSTEM)
        return box

    async def open_box(self, user: UserId, process: Process, *, id: str = "box1") -> BoxHttp:
        """Make a box and register it at the running gateway; returns the way to its socket."""
        box = await self.box(user, process, id=id)
        assert (
            await self.control("PUT", f"/boxes/{id}", {"user": user, "key": box.key, **box.spawner_state})
        ).status == 200
        return self.box_http(box)

    async def add_session(self, user: UserId, *, id: str = "s1", agent: str = "a1", kind: str = "builder") -> Session:
        """Store an agent and a session with it."""
        moment = now()
        await self.store.put(Agent(id=agent, name="Old", created_at=moment, updated_at=moment), owner=user)
        session = Session(id=id, agent=agent, kind=kind, created_at=moment, updated_at=moment)
        await self.store.put(session, owner=user)
        return session


def batch(session: str, events: list[AnyEvent]) -> bytes:
    """Body of an ingest call."""
    return b'{"session":%s,"events":%s}' % (msgspec.json.encode(session), encode_many(events))


@contextmanager
def living_process() -> Iterator[tuple[Process, subprocess.Popen[bytes]]]:
    """Run a process that lives until the context is left."""
    child = subprocess.Popen(["sleep", "600"])
    try:
        who = runtime_dir.process(child.pid)
        assert who
        yield who, child
    finally:
        child.kill()
        child.wait()


async def until(true: Any) -> None:
    """Waits until `true()`; fails after PATIENCE_S."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)
