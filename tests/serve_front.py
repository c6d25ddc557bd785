"""The whole front of the web over a scripted runner, to try every route: `python -m tests.serve_front PORT FOLDER`.

First it prints one line of JSON: every route it has, and every word that its sockets understand.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from limits import RateLimitItemPerMinute
from nicegui import core as nicegui_core
from starlette.routing import BaseRoute, Mount, WebSocketRoute

from auth import guard, uvicorn_config
from core.config.settings import Secret, Settings
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault
from tests.fakes import OpenGate, ScriptedSpawner
from web.app import front

KEY = "a key for tests, long enough to be one: 0123456789"
PROVIDER: Any = {
    "oidc_issuer": "http://127.0.0.1:1",
    "oidc_client_id": "id",
    "oidc_client_secret": Secret("secret"),
}


def routes(all_routes: list[BaseRoute], prefix: str = "") -> Iterator[str]:
    """`GET /path`, also of what is mounted; `ANY /path` for applications that look at the rest by themselves."""
    for route in all_routes:
        path = prefix + str(getattr(route, "path", ""))
        inner = getattr(route, "routes", None)
        if isinstance(route, Mount) and inner:
            yield from routes(inner, path)
        elif isinstance(route, WebSocketRoute):
            yield f"SOCKET {path}"
        elif methods := getattr(route, "methods", None):
            yield from (f"{method} {path}" for method in methods)
        else:
            yield f"ANY {path}"


Prepare = Callable[[SqliteStore, ScriptedSpawner], Awaitable[None]]


async def main(port: int, folder: Path, *, prepare: Prepare | None = None) -> None:
    """`prepare` may fill store and runner before anybody comes; it prints the first line then."""
    guard.STRANGER = RateLimitItemPerMinute(10_000, namespace="stranger")  # every route is tried within a minute
    # with a provider, so that its routes are there too; nothing listens where it is said to be
    settings = Settings(port=port, data_dir=folder, **PROVIDER)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gate: Any = OpenGate()
    gate.up = True
    with tempfile.TemporaryDirectory(prefix="oma") as short:
        spawner = ScriptedSpawner(Path(short))
        async with await SqliteStore.open(folder / "oma.db") as store:
            if prepare:
                await prepare(store, spawner)
            async with RunnerPool(store=store, spawner=spawner, gateway_link=gate, limits=IdleLimits()) as runners:
                inside = {
                    "settings": settings,
                    "keys": [KEY],
                    "store": store,
                    "vault": LocalVault(folder),
                    "runners": runners,
                }
                async with front(app, **inside, spawner=spawner, gate=gate, draining=lambda: False):  # type: ignore[arg-type]
                    words = {name for known in nicegui_core.sio.handlers.values() for name in known}
                    print(json.dumps({"routes": sorted(set(routes(app.routes))), "words": sorted(words)}), flush=True)
                    config = uvicorn_config.config(app, port=port, log_level="warning")
                    await uvicorn.Server(config).serve()
            for runner in spawner.alive.values():
                await runner.die()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
