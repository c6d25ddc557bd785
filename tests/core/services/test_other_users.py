"""Tests that Bob can neither read nor change nor create anything of Alice's by any use case."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.errors import NotFound, RunnerUnavailable
from core.domain.events import UserSaid
from core.domain.records import SYSTEM, Agent, Role, Session, User
from core.store.sqlite import SqliteStore
from tests.core.services.test_account import ALICE, BOB, ROOT, House, archive
from tests.fakes import ScriptedSpawner


@pytest.fixture
async def house(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        spawner = ScriptedSpawner(tmp_path_factory.mktemp("s"))
        house = House(store, spawner)
        async with house.runners:
            for subject in ("1", "2"):
                await house.person(subject)
            await house.person("9", role=Role.ADMIN)
            yield house
        for runner in spawner.alive.values():
            await runner.die()


async def test_what_alice_did_with_her_session_lets_nobody_else_into_it(house: House) -> None:
    session = await house.new(ALICE)
    await house.conversations.say(session.id, user=ALICE, text="mine", message_id="m1")  # it is remembered now
    for call in (
        house.conversations.say(session.id, user=BOB, text="a", message_id="m2"),
        house.conversations.older(session.id, user=BOB, before=5),
        house.conversations.interrupt(session.id, user=BOB),
        house.conversations.retry(session.id, UserSaid(message_id="m1", text="a"), user=BOB, after=1),
        house.conversations.answer(session.id, "r1", user=BOB, decision="allow"),
    ):
        with pytest.raises(NotFound):
            await call


async def test_nothing_is_made_under_a_foreign_agent(house: House) -> None:
    agent = (await house.new(ALICE)).agent
    with pytest.raises(NotFound):
        await house.agents.new_session(agent, user=BOB, locale="ko")
    assert await house.store.find(Session, owner=BOB) == []


async def test_nothing_of_alices_is_changed_or_deleted_by_anybody_else(house: House) -> None:
    session = await house.new(ALICE)
    await house.runners.get_or_start(BOB)
    before = [call for call in house.spawner.runner_of(BOB).calls if not call.startswith("GET")]
    for call in (
        house.agents.change(session.agent, user=BOB, name="stolen"),
        house.agents.delete(session.agent, user=BOB),
        house.agents.change_session(session.id, user=BOB, title="stolen"),
        house.agents.delete_session(session.id, user=BOB),
        house.agents.remove_rule(session.agent, "Read", user=BOB),
    ):
        with pytest.raises(NotFound):
            await call
    calls = [call for call in house.spawner.runner_of(BOB).calls if not call.startswith("GET")]
    assert calls == before, "not even his own box is asked about it"
    assert (await house.store.get(Agent, session.agent, owner=ALICE)).name != "stolen"
    assert (await house.store.get(Session, session.id, owner=ALICE)).title != "stolen"


async def test_a_disabled_administrator_is_none(house: House) -> None:
    await house.store.change(User, ROOT, owner=SYSTEM, disabled=True)
    with pytest.raises(NotFound):
        await house.people.all(by=ROOT)


async def test_an_account_that_is_being_deleted_is_changed_by_nobody(house: House) -> None:
    await house.store.change(User, ALICE, owner=SYSTEM, deleting=True, disabled=True)
    for call in (house.people.disable(ALICE, False, by=ROOT), house.people.set_role(ALICE, Role.ADMIN, by=ROOT)):
        with pytest.raises(NotFound):
            await call
    assert (await house.store.get(User, ALICE, owner=SYSTEM)).disabled


async def test_a_length_that_a_runner_makes_up_is_not_waited_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.runner import export

    frames = [b'{"path":"a"}\n2000000\n' + b"x" * 2_000_000 + b"0\n{}\n"]
    monkeypatch.setattr(export, "archive", lambda _root: iter(frames))
    with pytest.raises(RunnerUnavailable):
        await archive(house, ALICE)
