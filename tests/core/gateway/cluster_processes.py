"""A cluster as processes of this machine: `main.py gateway` with a port, `main.py runner --listen`, a store, a model.

    async with World(tmp_path) as world:
        gateway = await world.gateway()
        talk = await world.talk(await world.runner(gateway.url))

Nothing is faked but the model, the names of the internet, and the cluster's Service, which is twenty lines.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from core.domain.events import AnyEvent
from core.domain.records import SYSTEM, Agent, Box, LogKey, Session, new_session_id, now
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_client import RunnerClient, opening
from core.protocol.runner_api import SendMessage
from core.spawner import Poll, RunnerEndpoint
from core.store.sqlite import SqliteStore
from tests.canary import KEY
from tests.core.gateway.gateway_harness import ALICE
from tests.core.runner.box import CLI, Watch
from tests.model_server import ModelServer
from tests.product import MAIN, free_port

LIMIT_S = 60.0
BOOT_KEY = "the boot key of all spares, long enough"
INTERNET = Path(__file__).parents[2] / "e2e" / "internet"


@dataclass
class ServerProcess:
    """A process of ours and where it listens."""

    port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), LIMIT_S)


class ClusterProcesses:
    """The store, the model and everything that was started, ended with the context."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.root, self.data_dir = root, root / "data"
        self.model = ModelServer()
        self._more = environ
        self._stack = AsyncExitStack()
        self._parts: list[ServerProcess] = []

    async def __aenter__(self) -> Self:
        self.data_dir.mkdir()
        (self.root / "boot-key").write_text(BOOT_KEY + "\n")
        await self._stack.enter_async_context(self.model)
        self.store = await self._stack.enter_async_context(await SqliteStore.open(self.data_dir / "oma.db"))
        return self

    async def __aexit__(self, *_: object) -> None:
        for part in self._parts:
            if part.process.returncode is None:
                part.process.kill()
                await part.process.wait()
        await self._stack.aclose()

    async def gateway(self, port: int = 0) -> ServerProcess:
        """`python main.py gateway` as its Deployment starts it; it answers its probe."""
        port = port or free_port()
        environ = {
            "OMA_DATA_DIR": str(self.data_dir),
            "OMA_SPAWNER": "kubernetes",
            "OMA_GATEWAY_PORT": str(port),
            "OMA_MODEL": "anthropic",
            "ANTHROPIC_BASE_URL": self.model.url,
            "ANTHROPIC_API_KEY": KEY,
            **self._more,
        }
        return await self._start(port, ["gateway"], environ)

    async def runner(self, gateway: str, *, port: int = 0, home: str = "home") -> ServerProcess:
        """`python main.py runner --listen` as its pod starts it: it is nobody's yet."""
        port = port or free_port()
        (self.root / home).mkdir(exist_ok=True)
        words = ["runner", f"--listen=127.0.0.1:{port}", f"--home={self.root / home}", f"--gateway={gateway}"]
        words += [f"--cli={CLI}", f"--boot-key={self.root / 'boot-key'}"]
        return await self._start(port, words, {})

    async def _start(self, port: int, words: list[str], environ: dict[str, str]) -> ServerProcess:
        places = {"PATH": os.environ["PATH"], "HOME": str(self.root), "LANG": "C.UTF-8"}
        with (self.root / f"{words[0]}-{port}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, str(MAIN), *words, env=places | environ, cwd=MAIN.parent,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._parts.append(part := ServerProcess(port, process))
        async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as http:
            while True:
                assert process.returncode is None, self.log(words[0])
                with contextlib.suppress(aiohttp.ClientError):
                    async with http.get(f"{part.url}/healthz") as answer:
                        if answer.status == 200:
                            return part
                await asyncio.sleep(0.05)

    def log(self, name: str) -> str:
        return "\n".join(path.read_text() for path in self.root.glob(f"{name}-*.log"))

    async def box(self, *, id: str = "box1") -> Box:
        """Alice's box, as a web writes it into the Store."""
        box = Box(id=id, user=ALICE, key=secrets.token_urlsafe(32), started_at=now())
        await self.store.put(box, owner=SYSTEM)
        return box

    async def bind(self, box: Box, runner: ServerProcess) -> RunnerClient:
        """Bind the runner as a web does."""
        client = RunnerClient(box, RunnerEndpoint(url=runner.url, boot_key=BOOT_KEY, pod=socket.gethostname()))
        await client.init(IdleLimits().init(box, LogKey(id=box.user, key="k")), spawner=Living(runner))  # type: ignore[arg-type]
        self._stack.push_async_callback(client.close)
        return client

    async def session(self, client: RunnerClient, **agent: Any) -> "SessionClient":
        """A new conversation of Alice."""
        moment, id = now(), new_session_id()
        await self.store.put(Agent(id="a1", name="A", created_at=moment, updated_at=moment, **agent), owner=ALICE)
        session = Session(id=id, agent="a1", locale="en", created_at=moment, updated_at=moment)
        await self.store.put(session, owner=ALICE)
        await client.open(id, opening(session))
        return SessionClient(self, client, id)


class Living:
    """All that `RunnerClient.init` asks of a spawner."""

    def __init__(self, runner: ServerProcess) -> None:
        self._runner = runner

    async def poll(self, _: Box) -> Poll:
        return Poll.GONE if self._runner.process.returncode is not None else Poll.RUNNING


class SessionClient:
    """A session as the web and the Store see it."""

    def __init__(self, world: ClusterProcesses, client: RunnerClient, id: str) -> None:
        self.world, self.client, self.id = world, client, id

    async def say(self, text: str) -> None:
        await self.client.say(self.id, SendMessage(message_id=str(uuid.uuid4()), text=text))

    @asynccontextmanager
    async def watch(self, after: int = 0) -> AsyncIterator[Watch]:
        async with self.client.watch(self.id, after=after) as socket:
            yield Watch(socket)

    async def kept(self, enough: Callable[[list[AnyEvent]], bool]) -> list[AnyEvent]:
        """The log as the Store has it, once there is enough of it."""
        async with asyncio.timeout(LIMIT_S):
            while True:
                events = await self.world.store.events(self.id, owner=ALICE)
                if enough(events):
                    return events
                await asyncio.sleep(0.05)

    async def record(self) -> Session:
        return await self.world.store.get(Session, self.id, owner=ALICE)


@asynccontextmanager
async def service(*gateways: ServerProcess) -> AsyncIterator[str]:
    """A Kubernetes Service: one address, which sends each new connection to another of its processes."""
    turn = 0

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        for _ in gateways:
            turn += 1
            with contextlib.suppress(OSError):
                far = await asyncio.open_connection("127.0.0.1", gateways[turn % len(gateways)].port)
                await asyncio.gather(pump(reader, far[1]), pump(far[0], writer))
                return
        writer.transport.abort()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
