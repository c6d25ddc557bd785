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
from tests.ui.fakes_conversation import FakeTalk
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


def story(talk: FakeTalk) -> None:
    """The mockup's conversation."""
    session = talk.open(AGENT, id=STORY, title="담당자별로 묶기").id
    path = Path(__file__).with_name("story.json")
    start = now() - timedelta(minutes=4)
    for offset, raw in enumerate(msgspec.json.decode(path.read_bytes())):
        event = e.decode(msgspec.json.encode(raw))
        talk.happen(session, msgspec.structs.replace(event, at=start + timedelta(seconds=raw.get("_t", offset))))


def shelf(talk: FakeTalk) -> None:
    """Other sessions, every state among them."""
    for title, state, ago, kind in (
        ("평일 아침 요약", S.ASLEEP, 3, "run"),
        ("평일 아침 요약", S.ASLEEP, 26, "run"),
        ("비슷한 이슈 찾는 기준", S.ASLEEP, 28, "chat"),
        ("평일 아침 요약", S.FAILED, 80, "run"),
        ("라벨 규칙 정리하기", S.ASLEEP, 100, "chat"),
        ("첫 시험 실행", S.ASLEEP, 120, "chat"),
    ):
        talk.open(AGENT, title=title, state=state, ago=timedelta(hours=ago), kind=kind)
    talk.open(AGENT, title="요약 형식 정하기", pinned=True, ago=timedelta(days=10))


def long(talk: FakeTalk) -> None:
    """Five hundred turns."""
    session = talk.open(AGENT, id=LONG, title="긴 대화", ago=timedelta(hours=1)).id
    for n in range(1, 501):
        talk.happen(
            session,
            e.UserSaid(message_id=f"long-{n}", text=f"question {n}"),
            e.Text(message=f"long-{n}", block=0, text=f"answer **{n}** with `code` and some words."),
            e.TurnFinished(outcome="ok", duration_s=1.0),
        )


def build(talk: FakeTalk) -> FastAPI:
    """The page under production's conditions, and doors to press on the world from outside."""
    app = FastAPI()
    services = Services(
        settings=Settings(anthropic_api_key=Secret("x")),
        agents=talk,  # type: ignore[arg-type]
        conversations=talk,  # type: ignore[arg-type]
        auth=FakeAuth(),  # type: ignore[arg-type]
        **rest_of_services(),
        isolation=bubblewrap,
    )
    _doors(app, talk)
    for page in (theme, workspace_page, error_page):
        page.install(services)
    nicegui_core.app.add_middleware(Policy)
    mount(app)
    return app


def _doors(app: FastAPI, talk: FakeTalk) -> None:
    @app.post("/_fake/{session}/happen")
    async def happen(session: str, request: Request) -> int:
        return talk.happen(session, *e.decode_many(await request.body()))

    @app.post("/_fake/{session}/reconnect")
    async def reconnect(session: str, lose: bool = False) -> None:
        talk.reconnect(session, lose_unfinished=lose)

    @app.post("/_fake/open")
    async def open_(agent: str = AGENT) -> str:
        return talk.open(agent).id

    @app.post("/_fake/rename/{session}")
    async def rename(session: str, agent: str, title: str) -> None:
        talk.agent(AGENT, agent)
        await talk.change_session(session, user=talk.owner, title=title)
        talk.hub.publish(talk.owner, RECORDS)

    @app.post("/_fake/draft")
    async def draft(agent: str, name: str = "") -> None:
        """A draft of this name; whoever looks at one of its sessions hears of it."""
        made = talk.agent(agent, name)
        talk.agents_[agent] = msgspec.structs.replace(made, draft=True)
        talk.hub.publish(talk.owner, RECORDS)

    @app.post("/_fake/refuse")
    async def refuse(on: bool) -> None:
        talk.refusing = on

    @app.get("/_fake/calls")
    async def calls() -> list[Any]:
        return [list(call) for call in talk.calls]

    @app.get("/_fake/{session}/followers")
    async def followers(session: str) -> int:
        return len(talk.followers[session])


def main() -> None:
    parse = argparse.ArgumentParser()
    parse.add_argument("--port", type=int, default=8095)
    port = parse.parse_args().port
    talk = FakeTalk(UserId("local-owner"))
    talk.agent(AGENT, "이슈 요약이")
    shelf(talk)
    long(talk)
    talk.open(AGENT, id=EMPTY, ago=timedelta(hours=2))
    story(talk)
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()  # from here on who comes waits until it is served
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        config = uvicorn.Config(build(talk), log_level="warning", ws="websockets-sansio", timeout_graceful_shutdown=1)
        asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main()
