"""Serve the pages over fakes, to look at them and to test them: `python -m tests.ui.serve_fake --port 8090`."""

import argparse
import re
import secrets
import socket
from datetime import timedelta
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from nicegui import core as nicegui_core

from core.config.settings import Secret, Settings
from core.domain.states import SessionState
from core.fleet.session_feed import RECORDS
from tests.ui.fakes import FakeAuth, FakePlatform, bubblewrap, nothing, rest_of_services, six
from ui import inbox, login, theme
from ui.dashboard import page as dashboard_page
from ui.layout import error_page
from ui.layout.services import Services
from web.app import mount

POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self' ws://{host}; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class Policy:
    """The content security policy of production, so that a page that breaks under it breaks here."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        nonce = secrets.token_urlsafe(16)
        host = dict(scope["headers"]).get(b"host", b"").decode()
        held: list[Any] = []

        async def strict(message: Any) -> None:
            if message["type"] == "http.response.start":
                if dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html"):
                    held.append(message)
                    return
            elif held:
                held.append(message)
                if message.get("more_body"):
                    return
                body = b"".join(part.get("body", b"") for part in held[1:])
                if b"x-nicegui-content" in dict(held[0]["headers"]):
                    body = re.sub(rb"<(script|style)(?=[\s>])", rb'<\1 nonce="%s"' % nonce.encode(), body)
                headers = [one for one in held[0]["headers"] if one[0] != b"content-length"]
                policy = POLICY.replace("{nonce}", nonce).replace("{host}", host)
                headers += [(b"content-length", str(len(body)).encode()), (b"content-security-policy", policy.encode())]
                await send({**held[0], "headers": headers})
                await send({"type": "http.response.body", "body": body})
                held.clear()
                return
            await send(message)

        await self.app(scope, receive, strict)


def build(services: Services, platform: FakePlatform) -> FastAPI:
    """The pages under production's conditions, and `/_fake/…` to move the world from outside the browser."""
    app = FastAPI()

    @app.get("/_fake/move")
    async def move(name: str, state: SessionState, line: str) -> None:
        platform.move(platform.named(name).agent.id, state, line)

    @app.get("/_fake/fail")
    async def fail(name: str, reason: str) -> None:
        platform.fail(platform.named(name).agent.id, reason)

    @app.get("/_fake/refuse")
    async def refuse(refusing: bool) -> None:
        platform.refusing = refusing

    @app.get("/_fake/break")
    async def break_(broken: bool) -> None:
        """Agents cannot be shown, and news make the pages try."""
        platform.broken = broken
        platform.hub.publish("local-owner", RECORDS)

    @app.get("/_fake/slow")
    async def slow(seconds: float) -> None:
        platform.slow_s = seconds

    @app.get("/_fake/answer")
    async def answer() -> None:
        platform.requests.clear()
        platform.move(platform.named("이슈 요약이").agent.id, SessionState.BUSY, "올리고 있어요.")

    @app.get("/_fake/announce")
    async def announce(text: str) -> None:
        services.announcements.announce(text)  # type: ignore[unused-coroutine]  # the fake's

    @app.get("/_fake/put")
    async def put(name: str) -> None:
        platform.put(name, SessionState.ASKING, "", ago=timedelta())

    @app.get("/_fake/ask")
    async def ask(name: str, summary: str, kind: str = "permission") -> None:
        platform.ask(platform.named(name), kind, summary)

    @app.get("/_fake/beat")
    async def beat() -> None:
        """Everything is answered elsewhere, and nobody has heard of it yet."""
        platform.answered |= {one.id: {} for one in platform.requests}

    @app.get("/_fake/heard")
    async def heard() -> dict[str, Any]:
        names = {card.agent.name: card.agent.archived for card in platform.shelf.values()}
        found: dict[str, Any] = {"said": platform.said, "warmed": platform.warmed, "answered": platform.answered}
        found = msgspec.to_builtins(found)
        return {**found, "agents": names, "user": services.auth.current().locale}

    for page in (theme, login, dashboard_page, inbox, error_page):
        page.install(services)
    nicegui_core.app.add_middleware(Policy)  # inside NiceGUI's gzip: outside there is nothing to read
    mount(app)
    return app


def services_of(platform: FakePlatform, args: argparse.Namespace) -> Services:
    """Return the services that the flags ask for."""
    oidc: dict[str, Any] = {"oidc_client_id": "id", "allowed_domains": ("acme.co.kr",)} if args.oidc else {}
    model: dict[str, Any] = {"anthropic_api_key": Secret("x")} if args.real else {}
    methods = ("oidc",) if args.oidc else ("local",)
    return Services(
        settings=Settings(**oidc, **model),
        agents=platform,  # type: ignore[arg-type]
        conversations=platform,  # type: ignore[arg-type]
        auth=FakeAuth(signed_in=not args.stranger, methods=methods),
        **rest_of_services(),
        isolation=nothing if args.no_sandbox else bubblewrap,
    )


def main(words: list[str] | None = None) -> None:
    parse = argparse.ArgumentParser()
    parse.add_argument("--port", type=int, default=0)
    for flag in ("--empty", "--no-sandbox", "--oidc", "--real", "--stranger"):
        parse.add_argument(flag, action="store_true")
    args = parse.parse_args(words)
    platform = FakePlatform()
    if not args.empty:
        six(platform)
    app = build(services_of(platform, args), platform)
    listener = socket.create_server(("127.0.0.1", args.port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app, log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
