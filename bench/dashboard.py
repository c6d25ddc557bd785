"""P17: what a dashboard of 200 agents costs the server, when it is read and when one piece of news comes."""

import tempfile
import time
from pathlib import Path

from nicegui import ui
from nicegui.client import Client

from bench.figures import Figure, figure
from bench.setup import Stage
from core.domain.records import Agent, Request, Session, UserId, now
from core.domain.states import SessionState
from core.protocol.runner_api import SessionChange
from core.services.agents import Agents
from core.services.audit import Audit
from core.store import Store
from core.store.sqlite import SqliteStore
from ui.dashboard.page import AgentCards
from ui.layout.i18n import words

AGENTS, SESSIONS, REQUESTS = 200, 4, 20
ROUNDS = 30
OWNER = UserId("bench")


async def refresh(stage: Stage) -> dict[str, Figure]:
    """Milliseconds of the server: everything read and shown anew, and one agent's news taken in and shown."""
    with tempfile.TemporaryDirectory(prefix="oma-bench-pages-") as folder:
        async with await SqliteStore.open(Path(folder, "oma.db")) as store:
            await _fill(store)
            return await _rows(store)


async def _rows(store: Store) -> dict[str, Figure]:
    agents = Agents(store=store, runners=None, forget=lambda _: None, audit=Audit(store))  # type: ignore[arg-type]
    overview = await agents.overview(user=OWNER)
    with Client(ui.page("/bench-dashboard")):
        cards = AgentCards(words("ko"), overview)
    read, news = [], []
    for number in range(ROUNDS):
        began = time.perf_counter()
        overview = await agents.overview(user=OWNER)
        cards.show(overview)
        read.append((time.perf_counter() - began) * 1000)
        change = SessionChange(
            session="s0-0",
            agent="a0",
            state=SessionState.BUSY,
            last_seq=number + 1,
            line=f"step {number}",
            asking=0,
            stored_seq=0,
        )
        began = time.perf_counter()
        overview.apply(change)
        cards.show(overview)
        news.append((time.perf_counter() - began) * 1000)
    budget = "p50 ≤ 50"
    return {"P17_dashboard_read": figure(read, budget=budget), "P17_dashboard_news": figure(news, budget=budget)}


async def _fill(store: Store) -> None:
    for n in range(AGENTS):
        await store.put(Agent(id=f"a{n}", name=f"Agent {n}", created_at=now(), updated_at=now()), owner=OWNER)
        await store.add_usage(f"agent/a{n}/{now():%Y-%m}", owner=OWNER, turns=n, cost_usd=n / 100)
        for m in range(SESSIONS):
            session = Session(
                id=f"s{n}-{m}",
                agent=f"a{n}",
                title="이슈 요약",
                last_line="오류율이 평소와 같아요.",
                created_at=now(),
                updated_at=now(),
            )
            await store.put(session, owner=OWNER)
    for n in range(REQUESTS):
        asked = Request(id=f"r{n}", agent=f"a{n}", session=f"s{n}-1", kind="permission", summary="ls", asked_at=now())
        await store.put(asked, owner=OWNER)
