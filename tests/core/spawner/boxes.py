"""A spawner whose runner is the stand-in, and the way to talk to it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core.config import runtime_dir
from core.config.runtime_dir import Runtime
from core.config.settings import Settings
from core.domain.records import Box, UserId, now
from core.spawner import Spawner
from core.spawner.box import PARTS
from core.spawner.local import LocalSpawner
from tests.timeouts import PATIENCE_S

STANDIN = Path(__file__).with_name("standin.py")
CORE = Path(runtime_dir.__file__).parents[1]


def program(folder: Path) -> Path:
    """A program with the stand-in as its main.py."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(STANDIN, folder / "main.py")
    for part in PARTS[1:]:
        path = folder / part
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
    return folder


def local(folder: Path, *, sandbox: str = "bubblewrap", **more: Any) -> LocalSpawner:
    """A spawner that keeps all it has under `folder`."""
    settings = Settings(data_dir=folder / "data", sandbox=sandbox, **more)  # type: ignore[arg-type]
    root = folder / "run"
    (root / "b").mkdir(mode=0o700, parents=True, exist_ok=True)
    return LocalSpawner(settings, Runtime(root), program=program(folder / "program"))


def box(user: str = "local-owner", id: str = "b1", **memory: Any) -> Box:
    return Box(id=id, user=UserId(user), key=f"key of {id}", spawner_state=memory, started_at=now())


@asynccontextmanager
async def started(spawner: Spawner, *, user: str = "local-owner", id: str = "b1") -> AsyncIterator[Box]:
    """A box that runs, and is ended whatever the test does."""
    asked = box(user, id)
    memory = await spawner.start(asked)
    running = box(user, id, **memory)
    try:
        yield running
    finally:
        await spawner.stop(running, grace_s=0)


async def ask(spawner: Spawner, running: Box, **request: Any) -> Any:
    """Send a request to the stand-in and return its answer, or the text of its exception."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_unix_connection(spawner.endpoint(running).unix)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
    answer = json.loads(line)
    return answer.get("is", answer.get("error"))


async def look(spawner: Spawner, running: Box, expression: str) -> Any:
    """The value of an expression inside."""
    return await ask(spawner, running, look=expression)


async def attempt(spawner: Spawner, running: Box, statements: str) -> Any:
    """Return `answer` after the statements ran inside, or the text of the exception."""
    return await ask(spawner, running, run=statements)
