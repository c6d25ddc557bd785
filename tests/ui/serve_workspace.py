"""Serve the workspace over a fake: `python -m tests.ui.serve_workspace [--port N]`; press on the world by /_fake."""

import argparse
import asyncio
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI, Request
from nicegui import core as nicegui_core

from core.config.settings import Secret, Settings
from core.domain import events as e
from core.domain.records import UserId, now
from core.domain.states import SessionState as S
from core.fleet.session_feed import RECORDS
from tests.ui.fakes import FakeAuth, bubblewrap, rest_of_services
from tests.ui.fakes_conversation import FakeConversation
from tests.ui.serve_fake import Policy
from ui import theme
from ui.layout import error_page
from ui.layout.services import Services
from ui.workspace import page as workspace_page
from web.app import mount

AGENT = "aaaaaaaaaaaa"
EMPTY = "00000000-0000-4000-8000-000000000000"
STORY = "00000000-0000-4000-8000-000000000001"
LONG = "00000000-0000-4000-8000-000000000002"


def story(fake: FakeConversation) -> None:
    """The mockup's conversation."""
    session = fake.open(AGENT, id=STORY, title="담당자별로 묶기").id
    path = Path(__file__).with_name("story.json")
    start = now() - timedelta(minutes=4)
    for offset, raw in enumerate(msgspec.json.decode(path.read_bytes())):
        event = e.decode(msgspec.json.encode(raw))
        fake.happen(session, msgspec.structs.replace(event, at=start + timedelta(seconds=raw.get("_t", offset))))


def shelf(fake: FakeConversation) -> None:
    """Other sessions, every state among them."""
    for title, state, ago, kind in (
        ("평일 아침 요약", S.ASLEEP, 3, "run"),
        ("평일 아침 요약", S.ASLEEP, 26, "run"),
        ("비슷한 이슈 찾는 기준", S.ASLEEP, 28, "chat"),
        ("평일 아침 요약", S.FAILED, 80, "run"),
        ("라벨 규칙 정리하기", S.ASLEEP, 100, "chat"),
        ("첫 시험 실행", S.ASLEEP, 120, "chat"),
    ):
        fake.open(AGENT, title=title, state=state, ago=timedelta(hours=ago), kind=kind)
    fake.open(AGENT, title="요약 형식 정하기", pinned=True, ago=timedelta(days=10))


def long(fake: FakeConversation) -> None:
    """Five hundred turns."""
    session = fake.open(AGENT, id=LONG, title="긴 대화", ago=timedelta(hours=1)).id
    for n in range(1, 501):
        fake.happen(
            session,
            e.UserSaid(message_id=f"long-{n}", text=f"question {n}"),
            e.Text(message=f"long-{n}", block=0, text=f"answer **{n}** with `code` and some words."),
            e.TurnFinished(outcome="ok", duration_s=1.0),
        )


def build(fake: FakeConversation) -> FastAPI:
    """The page under production's conditions, and routes by which a test changes the scene."""
    app = FastAPI()
    services = Services(
        settings=Settings(anthropic_api_key=Secret("x")),
        agents=fake,  # type: ignore[arg-type]
        conversations=fake,  # type: ignore[arg-type]
        auth=FakeAuth(),  # type: ignore[arg-type]
        **{**rest_of_services(), "controls": fake, "versions": fake},
        isolation=bubblewrap,
    )
    _add_control_routes(app, fake)
    for page in (theme, workspace_page, error_page):
        page.install(services)
    nicegui_core.app.add_middleware(Policy)
    mount(app)
    return app


def _add_control_routes(app: FastAPI, fake: FakeConversation) -> None:
    @app.post("/_fake/{session}/happen")
    async def happen(session: str, request: Request) -> int:
        return fake.happen(session, *e.decode_many(await request.body()))

    @app.post("/_fake/{session}/reconnect")
    async def reconnect(session: str, lose: bool = False) -> None:
        fake.reconnect(session, lose_unfinished=lose)

    @app.post("/_fake/open")
    async def open_(agent: str = AGENT) -> str:
        return fake.open(agent).id

    @app.post("/_fake/rename/{session}")
    async def rename(session: str, agent: str, title: str) -> None:
        fake.agent(AGENT, agent)
        await fake.change_session(session, user=fake.owner, title=title)
        fake.hub.publish(fake.owner, RECORDS)

    @app.post("/_fake/draft")
    async def draft(agent: str, name: str = "") -> None:
        """A draft of this name; whoever looks at one of its sessions hears of it."""
        made = fake.agent(agent, name)
        fake.agents_[agent] = msgspec.structs.replace(made, draft=True)
        fake.hub.publish(fake.owner, RECORDS)

    @app.post("/_fake/refuse")
    async def refuse(on: bool) -> None:
        fake.refusing = on

    @app.get("/_fake/calls")
    async def calls() -> list[Any]:
        return [msgspec.to_builtins(list(call)) for call in fake.calls]

    @app.get("/_fake/{session}/followers")
    async def followers(session: str) -> int:
        return len(fake.followers[session])


def main() -> None:
    parse = argparse.ArgumentParser()
    parse.add_argument("--port", type=int, default=8095)
    port = parse.parse_args().port
    fake = FakeConversation(UserId("local-owner"))
    fake.agent(AGENT, "이슈 요약이")
    shelf(fake)
    long(fake)
    fake.open(AGENT, id=EMPTY, ago=timedelta(hours=2))
    story(fake)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()  # from here on who comes waits until it is served
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(build(fake), log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
