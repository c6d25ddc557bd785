"""Tests of secrets: stored, given to the chosen agents, shown without a value, and removed when deleted."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from core.domain.errors import NotFound, VaultUnavailable
from core.domain.records import Agent, SecretRecord, UserId, now
from core.services.secrets import SecretInfo, Secrets
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault
from tests.core.services.test_conversations import Stage
from tests.fakes import ScriptedSpawner

ALICE, BOB = UserId("google-1"), UserId("google-2")
VALUE = "value-of-the-secret"


class Safe(Stage):
    """The use cases, with two users who have an agent each."""

    def __init__(self, store: SqliteStore, spawner: ScriptedSpawner) -> None:
        super().__init__(store, spawner)
        self.vault = LocalVault(spawner.folder)
        self.secrets = Secrets(vault=self.vault, store=store, runners=self.runners, audit=self.audit)

    async def deeds(self) -> list[tuple[str, str, str]]:
        acts = await self.audit.newest(limit=100)
        return [(act.what, act.about, act.detail) for act in reversed(acts) if act.what.startswith("secret")]

    async def only(self, user: UserId = ALICE) -> SecretInfo:
        [kept] = await self.secrets.all(user=user)
        return kept


@pytest.fixture
async def safe(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Safe]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        spawner = ScriptedSpawner(tmp_path_factory.mktemp("s"))
        safe = Safe(store, spawner)
        async with safe.runners:
            yield safe
        for runner in spawner.alive.values():
            await runner.die()


async def test_what_is_shown_of_it_is_everything_but_the_value(safe: Safe) -> None:
    agent = (await safe.new()).agent
    assert await safe.secrets.put("TOKEN", VALUE, user=ALICE)
    await safe.secrets.assign("TOKEN", agent, True, user=ALICE)
    await safe.store.change(SecretRecord, "TOKEN", owner=ALICE, used_at=now())
    kept = await safe.only()
    assert (kept.name, [one.id for one in kept.agents]) == ("TOKEN", [agent])
    assert kept.updated_at and kept.used_at and VALUE not in repr(kept)
    assert await safe.secrets.all(user=BOB) == []


async def test_every_act_is_in_the_audit_log_without_the_value(safe: Safe) -> None:
    agent = (await safe.new()).agent
    await safe.secrets.put("TOKEN", VALUE, user=ALICE)
    assert not await safe.secrets.put("TOKEN", VALUE + "2", user=ALICE)
    for given in (True, True, False):  # said twice is done once
        await safe.secrets.assign("TOKEN", agent, given, user=ALICE)
    await safe.secrets.delete("TOKEN", user=ALICE)
    assert await safe.deeds() == [
        ("secret_added", "TOKEN", ""),
        ("secret_replaced", "TOKEN", ""),
        ("secret_assigned", agent, "TOKEN"),
        ("secret_withdrawn", agent, "TOKEN"),
        ("secret_deleted", "TOKEN", ""),
    ]


async def test_a_replaced_one_has_not_been_used_and_keeps_its_agents(safe: Safe) -> None:
    agent = (await safe.new()).agent
    await safe.secrets.put("TOKEN", VALUE, user=ALICE)
    await safe.secrets.assign("TOKEN", agent, True, user=ALICE)
    await safe.store.change(SecretRecord, "TOKEN", owner=ALICE, used_at=now())
    await safe.secrets.put("TOKEN", VALUE + "2", user=ALICE)
    kept = await safe.only()
    assert kept.used_at is None and len(kept.agents) == 1
    assert await safe.vault.get(["TOKEN"], owner=ALICE) == {"TOKEN": VALUE + "2"}


async def test_a_deleted_one_is_no_agents_any_more_also_when_the_name_comes_again(safe: Safe) -> None:
    agent = (await safe.new()).agent
    for name in ("OTHER", "TOKEN"):
        await safe.secrets.put(name, VALUE, user=ALICE)
        await safe.secrets.assign(name, agent, True, user=ALICE)
    for _ in range(2):
        await safe.secrets.delete("TOKEN", user=ALICE)
    assert (await safe.store.get(Agent, agent, owner=ALICE)).secrets == ("OTHER",)
    await safe.secrets.put("TOKEN", VALUE, user=ALICE)
    assert [(kept.name, len(kept.agents)) for kept in await safe.secrets.all(user=ALICE)] == [
        ("OTHER", 1),
        ("TOKEN", 0),
    ]


async def test_neither_another_users_secret_nor_another_users_agent_can_be_named(safe: Safe) -> None:
    mine, theirs = (await safe.new()).agent, (await safe.new(BOB)).agent
    await safe.secrets.put("TOKEN", VALUE, user=BOB)
    for name, agent, user in (("TOKEN", mine, ALICE), ("TOKEN", mine, BOB), ("NONE", theirs, BOB)):
        with pytest.raises(NotFound):
            await safe.secrets.assign(name, agent, True, user=user)
    await safe.secrets.delete("TOKEN", user=ALICE)
    assert await safe.vault.names(owner=BOB) == ("TOKEN",)


async def test_a_runner_is_told_at_every_change_that_its_clis_do_not_know_of(safe: Safe) -> None:
    session = await safe.new()
    other = (await safe.new()).agent
    await safe.conversations.say(session.id, user=ALICE, text="start", message_id="m1")
    calls = safe.spawner.runner_of(ALICE).calls

    async def told(act: object) -> list[str]:
        before = len(calls)
        await act  # type: ignore[misc]
        return [call.split("/")[-2] for call in calls[before:] if call.endswith("/renew")]

    assert await told(safe.secrets.put("TOKEN", VALUE, user=ALICE)) == []
    assert await told(safe.secrets.assign("TOKEN", session.agent, True, user=ALICE)) == [session.agent]
    assert await told(safe.secrets.assign("TOKEN", other, True, user=ALICE)) == [other]
    assert set(await told(safe.secrets.put("TOKEN", VALUE + "2", user=ALICE))) == {session.agent, other}
    assert await told(safe.secrets.assign("TOKEN", other, False, user=ALICE)) == [other]
    assert await told(safe.secrets.delete("TOKEN", user=ALICE)) == [session.agent]


async def test_a_vault_that_does_not_answer_changes_nothing_and_is_said(safe: Safe) -> None:
    await safe.secrets.put("TOKEN", VALUE, user=ALICE)
    (safe.spawner.folder / "vault.key").write_text("")
    for act in (
        safe.secrets.all(user=ALICE),
        safe.secrets.put("TOKEN", VALUE + "2", user=ALICE),
        safe.secrets.delete("TOKEN", user=ALICE),
    ):
        with pytest.raises(VaultUnavailable):
            await act
    assert [deed for deed, *_ in await safe.deeds()] == ["secret_added"]


def test_what_the_store_keeps_has_no_place_for_a_value() -> None:
    assert set(msgspec.json.decode(msgspec.json.encode(SecretRecord(id="TOKEN", updated_at=now())))) == {
        "id", "updated_at", "used_at",
    }  # fmt: skip
