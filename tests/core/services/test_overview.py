"""Tests of the overview of a user's agents: few reads, and the runners' news lead to the same as the Store."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.domain.events import (
    Answered,
    AnyEvent,
    Asked,
    Parked,
    SessionOpened,
    StateChanged,
    Text,
    ToolCalled,
    TurnFinished,
    UserSaid,
    numbered,
)
from core.domain.records import Agent, Request, Session, UserId, now
from core.domain.states import SessionState as S
from core.gateway.projections import update_records
from core.protocol.runner_api import SessionChange
from core.runner.session_projection import SessionProjection
from core.services.agents import Agents
from core.services.audit import Audit
from core.services.overview import Overview
from core.store.sqlite import SqliteStore

ALICE = UserId("alice")


class CountingStore:
    """A store that counts what it is asked for."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.reads: list[str] = []

    def __getattr__(self, name: str) -> Any:
        verb: Callable[..., Any] = getattr(self._store, name)
        if name in ("get", "find", "usage", "usage_of", "all_usage", "events", "last_events"):
            self.reads.append(name)
        return verb


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CountingStore]:
    async with await SqliteStore.open(tmp_path / "oma.db") as opened:
        yield CountingStore(opened)


@pytest.fixture
def agents(store: CountingStore) -> Agents:
    audit = Audit(store)  # type: ignore[arg-type]
    return Agents(store=store, runners=None, forget=lambda _: None, audit=audit)  # type: ignore[arg-type]


async def agent(store: CountingStore, id: str, **fields: Any) -> Session:
    """An agent with one session."""
    await store.put(Agent(id=id, name=id, created_at=now(), updated_at=now()), owner=ALICE)
    session = Session(id=f"s-{id}", agent=id, created_at=now(), updated_at=now(), **fields)
    await store.put(session, owner=ALICE)
    await store.add_usage(f"agent/{id}/{now():%Y-%m}", owner=ALICE, cost_usd=0.5)
    return session


async def test_a_dashboard_costs_the_same_reads_however_many_agents_there_are(
    store: CountingStore, agents: Agents
) -> None:
    counts = []
    for many in (3, 60):
        for n in range(many):
            await agent(store, f"a{n}")
        store.reads.clear()
        cards = await agents.cards(user=ALICE)
        counts.append(len(store.reads))
        assert len(cards) == many and {card.cost_usd for card in cards} <= {0.5, 1.0}
    assert counts == [6, 6]


TURN: list[AnyEvent] = [
    SessionOpened(agent="a", kind="chat"),
    StateChanged(state=S.IDLE),
    UserSaid(message_id="m1", text="Summarise the issues"),
    StateChanged(state=S.BUSY, turn="m1"),
    Text(message="t1", block=0, text="I look at **them** now. More."),
    ToolCalled(id="c1", name="Bash", input={"command": "gh issue list"}),
    Asked(request_id="r1", kind="permission", tool="Bash", input={"command": "gh issue list"}),
    StateChanged(state=S.ASKING),
    Answered(request_id="r1", decision="allow"),
    StateChanged(state=S.BUSY),
    Asked(request_id="r2", kind="permission", tool="Bash", input={"command": "ls"}, reason="To see."),
    StateChanged(state=S.ASKING),
    Parked(request_id="r2"),
    StateChanged(state=S.ASLEEP),
    Answered(request_id="r2", decision="deny"),
    StateChanged(state=S.STARTING),
    StateChanged(state=S.BUSY, turn="m1"),
    TurnFinished(outcome="error", reason="cli_died", cost_usd=0.25),
    StateChanged(state=S.IDLE),
    UserSaid(message_id="m2", text="Again"),
    StateChanged(state=S.BUSY, turn="m2"),
    Text(message="t2", block=0, text="Done."),
    TurnFinished(outcome="ok", cost_usd=0.25),
    StateChanged(state=S.IDLE),
]


class Runner:
    """The news of a runner about a session: at each event, and again when the Store has it."""

    def __init__(self, session: Session) -> None:
        self.session, self.projection = session, SessionProjection()
        self.seq = self.stored = 0

    def happen(self, event: AnyEvent) -> AnyEvent:
        self.seq += 1
        found = numbered(event, seq=self.seq)
        self.projection.apply(found)
        return found

    @property
    def change(self) -> SessionChange:
        known = self.projection
        return SessionChange(
            session=self.session.id,
            agent=self.session.agent,
            state=known.state,
            last_seq=self.seq,
            line=known.line,
            outcome=known.outcome,
            reason=known.reason,
            asking=len(known.asked),
            stored_seq=self.stored,
        )


def seen(overview: Overview) -> tuple[Any, ...]:
    """All that pages show of it, but the times."""
    [card] = overview.summaries()
    session = overview.sessions_of("a")[0]
    at = session.created_at
    return (
        {name: getattr(card, name) for name in card.__slots__ if name not in ("at", "agent")},
        msgspec.structs.replace(session, updated_at=at, last_seq=0, turn=""),
        [msgspec.structs.replace(one, asked_at=at) for one in overview.requests],
        overview.asking,
    )


async def test_the_news_lead_to_what_the_store_says_after_every_event(store: CountingStore, agents: Agents) -> None:
    session = await agent(store, "a")
    runner, overview = Runner(session), await agents.overview(user=ALICE)
    for event in TURN:
        happened = runner.happen(event)
        if overview.apply(runner.change):  # at once: the Store does not have it yet
            await agents.catch_up(overview, session.id, user=ALICE)
        session = await update_records(store, session, [happened], owner=ALICE)  # type: ignore[arg-type]
        runner.stored = runner.seq
        if overview.apply(runner.change):
            await agents.catch_up(overview, session.id, user=ALICE)
        assert seen(overview) == seen(await agents.overview(user=ALICE)), event


async def test_work_that_goes_on_is_shown_without_a_look_into_the_store(store: CountingStore, agents: Agents) -> None:
    session = await agent(store, "a", title="Summarise the issues", last_seq=2)
    runner, overview = Runner(session), await agents.overview(user=ALICE)
    for event in TURN[:4]:
        runner.happen(event)
    store.reads.clear()
    for n in range(100):
        runner.happen(Text(message=f"t{n}", block=0, text=f"Step number {n} is done."))
        stale = overview.apply(runner.change)
        runner.stored = runner.seq
        assert not (stale or overview.apply(runner.change))
        [card] = overview.summaries()
        assert (card.state, card.line) == (S.BUSY, f"Step number {n} is done.")
    assert store.reads == []


async def test_a_request_is_counted_before_the_store_has_it(store: CountingStore, agents: Agents) -> None:
    session = await agent(store, "a", title="Summarise the issues")
    runner = Runner(session)
    of_requests = await agents.overview_of_requests(user=ALICE)
    for event in TURN[:8]:
        runner.happen(event)
        assert not of_requests.apply(runner.change)
    assert of_requests.asking == 1
    runner.happen(TURN[8])
    assert not of_requests.apply(runner.change)
    assert of_requests.asking == 0


async def test_news_of_a_runner_of_an_earlier_version_are_looked_up(store: CountingStore, agents: Agents) -> None:
    session = await agent(store, "a")
    overview = await agents.overview(user=ALICE)
    request = Request(id="r", agent="a", session=session.id, kind="plan", asked_at=now())
    await store.put(request, owner=ALICE)
    await store.change(Session, session.id, owner=ALICE, state=S.ASKING)
    assert overview.apply(SessionChange(session=session.id, agent="a", state=S.ASKING, last_seq=3))
    await agents.catch_up(overview, session.id, user=ALICE)
    assert seen(overview) == seen(await agents.overview(user=ALICE))


async def test_an_agent_with_failed_sessions_is_not_idle_and_shows_the_one_to_try_again(
    store: CountingStore, agents: Agents
) -> None:
    await agent(store, "a", title="Later", last_line="All well.")
    failed = Session(
        id="s-failed",
        agent="a",
        title="Before",
        state=S.IDLE,
        last_outcome="error",
        last_reason="cli_died",
        created_at=now(),
        updated_at=now() - timedelta(hours=1),
    )
    await store.put(failed, owner=ALICE)
    [card] = await agents.cards(user=ALICE)
    assert (card.state, card.session, card.reason) == (S.FAILED, "s-failed", "cli_died")
    await store.change(Session, "s-a", owner=ALICE, state=S.BUSY)
    [card] = await agents.cards(user=ALICE)
    assert (card.state, card.session) == (S.BUSY, "s-a")


async def test_an_agent_with_which_nothing_was_done_is_in_no_list_and_is_used_before_another_one(
    store: CountingStore, agents: Agents
) -> None:
    made = Agent(id="b", created_at=now(), updated_at=now())
    await store.put(made, owner=ALICE)
    session = Session(id="s-b", agent="b", kind="builder", created_at=now(), updated_at=now())
    await store.put(session, owner=ALICE)
    overview = await agents.overview(user=ALICE)
    assert overview.summaries(blank=False) == [] and len(overview.summaries()) == 1
    assert overview.blank() == (made, session)
    await store.change(Session, "s-b", owner=ALICE, title="Summarise the issues")
    overview = await agents.overview(user=ALICE)
    assert len(overview.summaries(blank=False)) == 1 and overview.blank() is None
