"""The smallest product there can be: a sign-in page and a page with a button, behind the real guards.

`python -m tests.auth.mini_app PORT DATABASE [issuer]`; every press of the button is a line on stdout.
"""

import asyncio
import sys
from pathlib import Path

import psutil
import uvicorn
from fastapi import FastAPI
from nicegui import Client, ui
from nicegui import core as nicegui_core
from starlette.requests import Request
from starlette.responses import JSONResponse

import auth
from auth import uvicorn_config
from core.config.settings import Secret, Settings
from core.domain.records import UserId
from core.observability import logs
from core.store.sqlite import SqliteStore

KEY = "a key for tests, long enough to be one: 0123456789"
CLIENT, CLIENT_SECRET = "oma-test", "the client's secret"


async def main(port: int, database: Path, issuer: str = "") -> None:
    logs.configure_logging("text")
    settings = Settings(
        port=port,
        oidc_issuer=issuer or "https://accounts.google.com",
        oidc_client_id=CLIENT if issuer else "",
        oidc_client_secret=Secret(CLIENT_SECRET),
    )
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    async with await SqliteStore.open(database) as store:
        service = auth.install(app, settings, store, [KEY])

        @ui.page("/login")
        def login() -> None:
            ui.button("press", on_click=lambda: print("pressed by nobody", flush=True))
            ui.link("sign in", "/auth/login")

        @ui.page("/dashboard")
        def dashboard() -> None:
            user = service.current()
            ui.label(f"user {user.id} {user.name}")
            ui.button("press", on_click=lambda: print(f"pressed by {user.id}", flush=True))

        @app.post("/api/v1/echo")
        async def echo(request: Request) -> JSONResponse:
            body = await request.body()
            return JSONResponse({"user": service.user_of(request).user_id, "size": len(body)})

        @app.post("/api/v1/everywhere")
        async def everywhere(request: Request) -> JSONResponse:
            await service.sign_out_everywhere(UserId(service.user_of(request).id))
            return JSONResponse({})

        @app.get("/theme/census")  # where no limit counts
        async def census() -> JSONResponse:
            sio = nicegui_core.sio
            return JSONResponse(
                {
                    "sockets": len(sio.eio.sockets),
                    "sids": len(sio.environ),
                    "clients": len(Client.instances),
                    "tasks": len(asyncio.all_tasks()),
                    "rss": psutil.Process().memory_info().rss,
                }
            )

        ui.run_with(app, show_welcome_message=False, binding_refresh_interval=None, tailwind=False)
        nicegui_core.sio.eio.cors_allowed_origins = None
        config = uvicorn_config.config(app, port=port)
        async with service.running():
            print(f"link {service.local_link()}", flush=True)
            await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]))
