"""Fixtures: the sign-in of one web process in the test's own loop, and browsers that call it without a network."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from nicegui import core as nicegui_core
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse

import auth
from auth import AuthService
from auth.guard import Page
from core.config.settings import Secret, Settings
from core.store.sqlite import SqliteStore
from tests.auth.socket_world import Server, World, mini_server
from tests.oidc_provider import Provider, provider
from tests.product import free_port

KEY = "a key for tests, long enough to be one: 0123456789"
CLIENT_ID, CLIENT_SECRET = "oma-test", "the client's secret"
LOCAL = "http://127.0.0.1:8080"
PUBLIC = "https://agents.example.com"


@dataclass
class Clock:
    """Time that only the test moves."""

    at: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> None:
        self.at += timedelta(**span)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield store


@pytest.fixture
def nicegui_untouched() -> Iterator[None]:
    """`install` takes over NiceGUI's handlers, which are global: other tests get them back."""
    sio = nicegui_core.sio
    handlers, transports = {name: dict(known) for name, known in sio.handlers.items()}, sio.eio.transports
    yield
    sio.handlers, sio.eio.transports = handlers, transports


@dataclass
class House:
    """An application behind `auth.install`."""

    app: FastAPI
    service: AuthService
    base: str

    def browser(self, base: str = "") -> httpx2.AsyncClient:
        """A browser without cookies; it does not follow redirects by itself."""
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url=base or self.base)


Build = Callable[..., House]


@pytest.fixture
def build(store: SqliteStore, nicegui_untouched: None) -> Build:
    def build(settings: Settings | None = None, *, keys: tuple[str, ...] = (KEY,), page: Page | None = None) -> House:
        settings = settings or Settings()
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        service = auth.install(app, settings, store, keys, page=page)

        @app.api_route("/dashboard", methods=["GET", "POST"])
        async def dashboard(request: Request) -> PlainTextResponse:
            assert service.current() == service.user_of(request)
            return PlainTextResponse(service.current().id)

        @app.get("/login")
        async def login() -> PlainTextResponse:
            return PlainTextResponse("sign in")

        @app.post("/api/v1/echo")
        async def echo(request: Request) -> JSONResponse:
            return JSONResponse({"size": len(await request.body())})

        @app.get("/api/v1/scope")
        async def scope(request: Request) -> JSONResponse:
            return JSONResponse({"headers": dict(request.headers), "address": request.scope["state"]["address"]})

        @app.get("/api/v1/broken")
        async def broken() -> None:
            raise RuntimeError("on purpose")

        return House(app=app, service=service, base=settings.url)

    return build


def production(**more: object) -> Settings:
    """Settings of a real deployment; the provider is wherever the test has it."""
    return Settings(
        **{
            "env": "production",
            "public_url": PUBLIC,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": Secret(CLIENT_SECRET),
            **more,
        }  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def running_idp() -> Iterator[Provider]:
    with provider(
        port=free_port(), client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=f"{PUBLIC}/auth/callback"
    ) as running:
        yield running


@pytest.fixture
def idp(running_idp: Provider) -> Provider:
    """A strict provider that knows our production address, as new."""
    running_idp.reset()
    return running_idp


async def signed_in(house: House) -> httpx2.AsyncClient:
    """A browser in which the owner opened a printed link."""
    browser = house.browser()
    answer = await browser.get(house.service.local_link())
    assert answer.status_code == 303
    return browser


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with mini_server(tmp_path_factory.mktemp("mini")) as running:
        yield running


@pytest.fixture
async def world(server: Server) -> AsyncIterator[World]:
    async with await SqliteStore.open(server.database) as store:
        server.lines.clear()
        yield World(server, store)
