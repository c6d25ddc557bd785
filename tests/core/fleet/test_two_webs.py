"""Two web processes on one store and one cluster: whatever both do at once, a user has one box, and both follow it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from core.domain.errors import RunnerUnavailable
from core.domain.events import Live, StateChanged, UserSaid
from core.domain.records import SYSTEM, Box, Session, UserId
from core.domain.states import SessionState
from core.fleet.idle_reaper import IdleLimits
from core.fleet.runner_pool import RunnerPool
from core.services.audit import Audit
from core.services.conversations import Conversations
from core.spawner import Phase, Poll
from core.store.sqlite import SqliteStore
from tests.core.services.test_conversations import take
from tests.fakes import OpenGate, ScriptedSpawner

ALICE = UserId("google-1")
PATIENCE_S = 30.0


class Cluster(ScriptedSpawner):
    """Shared by all webs, and slow where a test says so."""

    shared = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ready = asyncio.Event()
        self.ready.set()

    async def start(self, box: Box, tell: Callable[[Phase], None] = lambda _: None) -> dict[str, object]:
        tell(Phase.MACHINE)
        await self.ready.wait()
        return await super().start(box, tell)


class Web:
    """The objects of one web process."""

    def __init__(self, store: SqliteStore, spawner: Cluster) -> None:
        self.runners = RunnerPool(
            store=store, spawner=spawner, gateway_link=OpenGate(), limits=IdleLimits(), sweep_s=0.05
        )  # type: ignore[arg-type]
        self.conversations = Conversations(store=store, runners=self.runners, audit=Audit(store))


class Two:
    def __init__(self, store: SqliteStore, spawner: Cluster) -> None:
        self.store, self.spawner = store, spawner
        self.one, self.other = Web(store, spawner), Web(store, spawner)

    async def session(self) -> Session:
        from core.services.agents import Agents

        agents = Agents(
            store=self.store, runners=self.one.runners, forget=self.one.conversations.forget, audit=Audit(self.store)
        )
        return (await agents.create(user=ALICE, locale="ko"))[1]

    async def boxes(self) -> list[Box]:
        return await self.store.find(Box, owner=SYSTEM)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    with TemporaryDirectory(prefix="oma") as short:
        async with await SqliteStore.open(tmp_path / "oma.db") as store:
            spawner = Cluster(Path(short))
            made = Two(store, spawner)
            async with made.one.runners, made.other.runners:
                yield made
            for runner in spawner.alive.values():
                await runner.die()


async def until(so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await so():
            await asyncio.sleep(0.02)


async def test_both_want_the_users_box_at_once_and_one_of_them_makes_it(two: Two) -> None:
    clients = await asyncio.gather(two.one.runners.get_or_start(ALICE), two.other.runners.get_or_start(ALICE))
    assert two.spawner.started == 1
    assert {client.box.id for client in clients} == {box.id for box in await two.boxes()}
    assert len({client.box.id for client in clients}) == 1


async def test_who_looks_on_at_the_other_web_meets_the_box_and_sees_every_word(two: Two) -> None:
    session = await two.session()
    await two.one.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    async with two.other.conversations.follow(session.id, user=ALICE, after=1) as batches:
        await two.store.append(session.id, two.spawner.runner_of(ALICE).logs[session.id], owner=ALICE)
        said = asyncio.create_task(take(batches, lambda e: isinstance(e, UserSaid) and e.message_id == "2"))
        await until(lambda: looked(two))
        await two.one.conversations.say(session.id, user=ALICE, text="b", message_id="2")
        await said
    assert two.spawner.started == 1


async def looked(two: Two) -> bool:
    await two.other.runners.adopt_foreign(ALICE)
    return two.other.runners.running(ALICE) is not None


async def test_both_let_an_idle_box_go_and_neither_starts_another(two: Two) -> None:
    await asyncio.gather(two.one.runners.get_or_start(ALICE), two.other.runners.get_or_start(ALICE))
    two.spawner.runner_of(ALICE).idle_s = 3600.0
    await until(lambda: forgotten(two))
    assert (two.spawner.started, two.spawner.alive, await two.boxes()) == (1, {}, [])
    session = await two.session()
    assert await two.other.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    assert two.spawner.started == 2


async def test_a_users_logs_are_taken_over_until_a_runner_has_marked_them_and_never_again(two: Two) -> None:
    told = list[tuple[str, bool]]()
    for marks in (False, True, True):  # the first is a runner of the version before
        two.spawner.marks = marks
        await two.one.runners.get_or_start(ALICE)
        (init,) = two.spawner.runner_of(ALICE).inits
        told.append((init["log_key"], init["take_over"]))
        await two.one.runners.stop(ALICE)
    assert [take_over for _, take_over in told] == [True, True, False]
    assert len({key for key, _ in told}) == 1 and len(told[0][0]) > 30


async def forgotten(two: Two) -> bool:
    return two.one.runners.running(ALICE) is two.other.runners.running(ALICE) is None and not await two.boxes()


async def test_a_message_to_a_web_that_has_not_heard_of_the_end_goes_to_the_next_box(two: Two) -> None:
    session = await two.session()
    await two.other.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    await two.one.runners.get_or_start(ALICE)
    stopping = asyncio.create_task(two.one.runners.stop(ALICE))
    assert await two.other.conversations.say(session.id, user=ALICE, text="b", message_id="2")
    await stopping
    assert await two.other.conversations.say(session.id, user=ALICE, text="c", message_id="3")
    assert len(await two.boxes()) == 1


async def test_both_see_a_box_die_and_one_of_them_looks_after_it(two: Two) -> None:
    session = await two.session()
    await two.one.conversations.say(session.id, user=ALICE, text="a", message_id="1")
    await two.other.runners.get_or_start(ALICE)
    await two.store.change(Session, session.id, owner=ALICE, state=SessionState.BUSY)
    await two.spawner.kill(ALICE)
    await until(lambda: taken_up(two, session))
    await two.other.runners.get_or_start(ALICE)
    await two.one.runners.get_or_start(ALICE)
    assert two.spawner.started == 2
    assert len(await two.boxes()) == 1


async def taken_up(two: Two, session: Session) -> bool:
    if two.spawner.started < 2 or not two.spawner.alive:
        return False
    return f"PUT /v1/sessions/{session.id}" in two.spawner.runner_of(ALICE).calls


async def test_a_box_is_stopped_by_a_web_that_has_never_met_it(two: Two) -> None:
    client = await two.one.runners.get_or_start(ALICE)
    await two.other.runners.stop(ALICE)
    assert await two.spawner.poll(client.box) is Poll.GONE
    await until(lambda: forgotten(two))
    assert two.spawner.started == 1, "that was no death"


async def test_a_web_that_ends_leaves_the_boxes_to_the_other(two: Two) -> None:
    await two.one.runners.get_or_start(ALICE)
    await two.one.runners.stop_all(spare_open_turns=True)
    assert len(two.spawner.alive) == 1


async def test_pages_are_told_how_far_a_start_is_and_since_when_and_that_it_failed(two: Two) -> None:
    session = await two.session()
    two.spawner.ready.clear()
    async with two.one.conversations.follow(session.id, user=ALICE) as batches:
        saying = asyncio.create_task(two.one.conversations.say(session.id, user=ALICE, text="a", message_id="1"))
        seen = await take(batches, lambda e: isinstance(e, StateChanged))
        told = seen[-1]
        assert isinstance(told, StateChanged)
        assert (told.state, told.phase, told.seq) == (SessionState.STARTING, "machine", StateChanged(state="idle").seq)  # type: ignore[arg-type]
        async with two.one.conversations.follow(session.id, user=ALICE, after=0) as late:
            assert (await take(late, lambda e: isinstance(e, StateChanged)))[-1] == told, "also who comes later"
        two.spawner.refuse = True
        two.spawner.ready.set()
        with pytest.raises(RunnerUnavailable, match="no room"):
            await saying
        states = await take(batches, lambda e: isinstance(e, StateChanged) and e.state is SessionState.ASLEEP)
        assert states
        two.spawner.refuse = False
        await two.one.conversations.say(session.id, user=ALICE, text="a", message_id="1")
        await take(batches, lambda e: isinstance(e, Live))
    assert two.spawner.started == 1
