"""Tests of accounts: the archive of everything, administrators' acts, and the deletion."""

import asyncio
import io
import json
import os
import sqlite3
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from core.domain.audit import AuditAction
from core.domain.errors import BadInput, Conflict, NotFound, StoreUnavailable, TooMuch
from core.domain.records import GOOGLE, SYSTEM, Connection, Login, Role, User, UserId, now, user_id
from core.gateway.egress.connection_log import ConnectionLog
from core.services.account import Account
from core.services.account_export import Export
from core.services.announcements import Announcements
from core.services.users import UserAdmin
from core.store.sqlite import SqliteStore
from core.vault.local import LocalVault
from tests.core.services.test_conversations import Stage
from tests.fakes import ScriptedSpawner
from tests.timeouts import PATIENCE_S

ALICE, BOB, ROOT = UserId("google-1"), UserId("google-2"), UserId("google-9")


class House(Stage):
    """Three users, and the use cases about them."""

    def __init__(self, store: SqliteStore, spawner: ScriptedSpawner) -> None:
        super().__init__(store, spawner)
        self.vault = LocalVault(spawner.folder)
        self.changed: list[User] = []
        self.locked_out: list[UserId] = []
        self.export = Export(store=store, runners=self.runners)
        self.people = UserAdmin(
            store=store,
            runners=self.runners,
            audit=self.audit,
            named=("Boss@Example.com",),
            changed=self.changed.append,
        )

    def account(self) -> Account:
        async def lock_out(user: UserId) -> None:
            self.locked_out.append(user)

        return Account(
            store=self.store,
            vault=self.vault,
            runners=self.runners,
            audit=self.audit,
            locked_out=lock_out,
            forget=self.conversations.forget_user,
        )

    async def person(self, subject: str, **fields: object) -> User:
        user = User(
            id=user_id(GOOGLE, subject), issuer=GOOGLE, subject=subject, created_at=now(), seen_at=now(),
            **{"name": f"name-of-{subject}", "email": f"user{subject}@example.com", **fields},  # type: ignore[arg-type]
        )  # fmt: skip
        await self.store.put(user, owner=SYSTEM)
        return user

    async def deeds(self) -> list[str]:
        return [act.what for act in await self.audit.newest(limit=100)]


@pytest.fixture
async def house(tmp_path: Path, short: Path) -> AsyncIterator[House]:
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        spawner = ScriptedSpawner(short)
        house = House(store, spawner)
        async with house.runners:
            for subject in ("1", "2"):
                await house.person(subject)
            await house.person("9", role=Role.ADMIN)
            yield house
        for runner in spawner.alive.values():
            await runner.die()


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


async def archive(house: House, user: UserId) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join([piece async for piece in house.export.of(user)])))


class TestExport:
    async def test_it_holds_profile_conversations_and_files_and_nothing_of_anybody_else(
        self, house: House, tmp_path: Path
    ) -> None:
        mine, theirs = await house.new(ALICE), await house.new(BOB)
        for session, user, text in ((mine, ALICE, "from-alice"), (theirs, BOB, "from-bob")):
            await house.conversations.say(session.id, user=user, text=text, message_id="m1")
            log = house.spawner.runner_of(user).logs[session.id]
            await house.store.append(session.id, log, owner=user)
            await house.store.add_usage("2026-11", owner=user, turns=1, seq_x=5)
            await house.store.create(connection(f"seen-{text}.example"), owner=user)
        folder = tmp_path / "agents"
        (folder / "a1" / "sub").mkdir(parents=True)
        (folder / "a1" / "CLAUDE.md").write_text("# 나의 에이전트")
        (folder / "a1" / "sub" / "big").write_bytes(os.urandom(300_000))
        house.spawner.runner_of(ALICE).folder = folder
        found = await archive(house, ALICE)
        assert found.testzip() is None
        assert set(found.namelist()) == {
            "profile.json", f"sessions/{mine.id}.jsonl", "agents/a1/CLAUDE.md", "agents/a1/sub/big",
        }  # fmt: skip
        assert found.read("agents/a1/sub/big") == (folder / "a1" / "sub" / "big").read_bytes()
        assert b"from-alice" in found.read(f"sessions/{mine.id}.jsonl")
        profile = json.loads(found.read("profile.json"))
        assert profile["user"]["email"] == "user1@example.com"
        assert profile["usage"] == {"2026-11": {"turns": 1}}
        assert [row["host"] for row in profile["connections"]] == ["seen-from-alice.example"]
        assert not any(b"from-bob" in found.read(name) or b"user2" in found.read(name) for name in found.namelist())

    async def test_one_at_a_time_and_whoever_stops_listening_lets_the_next_one_in(self, house: House) -> None:
        await house.new(ALICE)
        first = house.export.of(ALICE)
        await anext(first)
        with pytest.raises(TooMuch):
            await anext(house.export.of(ALICE))
        await first.aclose()
        assert (await archive(house, ALICE)).namelist()

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("../../etc/passwd", "agents/etc/passwd"),
            ("/etc/passwd", "agents/etc/passwd"),
            ("a\\..\\b", "agents/a_.._b"),
            ("C:x", "agents/C_x"),
            ("a\n\x00\u202eb", "agents/a___b"),
            ("", "agents/_"),
            ("..", "agents/_"),
        ],
    )
    async def test_a_runner_that_makes_names_up_leads_nowhere(
        self, house: House, monkeypatch: pytest.MonkeyPatch, path: str, name: str
    ) -> None:
        from core.runner import export

        frames = [msgspec.json.encode({"path": path, "mtime": -1}) + b"\n1\nx0\n{}\n"]
        monkeypatch.setattr(export, "archive", lambda _root: iter(frames))
        assert (await archive(house, ALICE)).namelist() == ["profile.json", name]

    @pytest.mark.parametrize(
        "frames", [b"", b"nonsense\n", b'{"path":"a"}\n99999999\n', b'{"path":"a"}\n10\nabc', b"x" * 9000]
    )
    async def test_a_stream_that_is_damaged_or_breaks_off_makes_no_archive(
        self, house: House, monkeypatch: pytest.MonkeyPatch, frames: bytes
    ) -> None:
        from core.domain.errors import RunnerUnavailable
        from core.runner import export

        monkeypatch.setattr(export, "archive", lambda _root: iter([frames]))
        with pytest.raises(RunnerUnavailable):
            await archive(house, ALICE)


def connection(host: str) -> Connection:
    return Connection(
        id=host, agent="a1", session="s1", host=host, port=443, decision="connected", updated_at=now()
    )  # fmt: skip


class TestDeletion:
    @pytest.fixture(autouse=True)
    def at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("core.services.account.SETTLE_S", 0.01)

    async def test_nothing_is_left_of_it_and_everything_of_others(self, house: House, tmp_path: Path) -> None:
        mine, theirs = await house.new(ALICE), await house.new(BOB)
        for session, user in ((mine, ALICE), (theirs, BOB)):
            await house.conversations.say(session.id, user=user, text=f"canary of {user}.", message_id="m1")
            await house.store.append(session.id, house.spawner.runner_of(user).logs[session.id], owner=user)
            await house.vault.put("TOKEN", f"secret of {user}", owner=user)
        answered = AuditAction.REQUEST_ANSWERED
        await house.audit.record(answered, who=ALICE, about="a1", detail="allow r1", target="rm canary")
        assert (await house.audit.newest(limit=1))[0].detail == "allow r1 rm canary"
        login = Login(id="l1", user=ALICE, created_at=now(), seen_at=now(), expires_at=now())
        await house.store.put(login, owner=SYSTEM)
        async with house.account() as account:
            holdings = await account.holdings(ALICE)
            assert (holdings.agents, holdings.sessions) == (1, 1)
            await account.delete(ALICE)
            assert house.locked_out == [ALICE]
            await until_gone(house.store, ALICE)
        assert ALICE not in house.spawner.disks
        assert {runner.box.user for runner in house.spawner.alive.values() if runner.box} == {BOB}
        assert mentions(tmp_path / "oma.db", ALICE) == {"audit"}
        assert await house.vault.names(owner=ALICE) == ()
        assert await house.vault.names(owner=BOB) == ("TOKEN",)
        acts = [act for act in await house.audit.newest(limit=9) if act.what == AuditAction.REQUEST_ANSWERED]
        assert [act.detail for act in acts] == ["allow r1 [deleted with the account]"]
        for canary in ("rm canary", f"canary of {ALICE}.", "user1@example.com", mine.id, "name-of-1"):
            assert mentions(tmp_path / "oma.db", canary) == set(), canary
        assert mentions(tmp_path / "oma.db", f"canary of {BOB}.") == {"events"}
        assert (await house.agents.session(theirs.id, user=BOB)).id == theirs.id
        assert (await house.deeds())[0] == "account_deleted"

    async def test_what_the_gateway_writes_when_the_box_has_ended_does_not_stay(
        self, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("core.services.account.SETTLE_S", 0.5)
        monkeypatch.setattr("core.gateway.egress.connection_log.GATHER_S", 0.05)
        ledger, forget = ConnectionLog(house.store), house.spawner.forget

        async def tunnels_end(user: UserId) -> None:
            ledger.record(connection("visited.example"), owner=user)
            await forget(user)

        monkeypatch.setattr(house.spawner, "forget", tunnels_end)
        async with house.account() as account:
            await account.delete(ALICE)
            await until_gone(house.store, ALICE)
        await ledger.close()
        assert mentions(tmp_path / "oma.db", "visited.example") == set()

    async def test_a_line_that_cannot_be_written_stops_no_deletion(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_act: object) -> int:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(house.store, "add_audit_entry", away)
        async with house.account() as account:
            with pytest.raises(StoreUnavailable):
                await account.delete(ALICE)
            assert house.locked_out == [ALICE]
            await until_gone(house.store, ALICE)

    async def test_a_web_that_starts_goes_on_with_what_another_began(self, house: House) -> None:
        await house.new(ALICE)
        await house.store.change(User, ALICE, owner=SYSTEM, deleting=True, disabled=True)
        async with house.account():
            await until_gone(house.store, ALICE)

    @pytest.mark.parametrize("trouble", [OSError("the disk"), ValueError("of a library")])
    async def test_what_goes_wrong_on_the_way_is_tried_again(
        self, house: House, monkeypatch: pytest.MonkeyPatch, trouble: Exception
    ) -> None:
        troubles, forget = [trouble], house.store.forget

        async def forgets(user: UserId) -> None:
            if troubles:
                raise troubles.pop()
            await forget(user)

        monkeypatch.setattr("core.services.account.RETRY_S", 0.01)
        monkeypatch.setattr(house.store, "forget", forgets)
        async with house.account() as account:
            await account.delete(ALICE)
            await until_gone(house.store, ALICE)
        assert troubles == []

    async def test_who_waits_for_the_box_of_a_deleted_account_does_not_get_one(self, house: House) -> None:
        from core.domain.errors import RunnerUnavailable

        async with house.runners.purge(ALICE):
            waiting = asyncio.create_task(house.runners.get_or_start(ALICE))
            await asyncio.sleep(0)
        with pytest.raises(RunnerUnavailable):
            await waiting
        assert await house.runners.get_or_start(ALICE), "whoever comes back later is a new user"


async def until_gone(store: SqliteStore, user: UserId) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await store.find(User, owner=SYSTEM, where={"id": user}):
            await asyncio.sleep(0.02)


def mentions(database: Path, text: str) -> set[str]:
    """The tables in which it occurs anywhere."""
    with sqlite3.connect(database) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {t for t in tables for row in db.execute(f"SELECT * FROM {t}") if any(text in str(v) for v in row)}
    db.close()
    return found


class TestPeople:
    async def test_only_an_administrator_sees_or_does_anything(self, house: House) -> None:
        for call in (
            house.people.all(by=ALICE),
            house.people.set_role(ALICE, Role.ADMIN, by=ALICE),
            house.people.set_role(BOB, Role.ADMIN, by=ALICE),
            house.people.disable(BOB, True, by=ALICE),
            house.people.all(by=UserId("google-77")),
        ):
            with pytest.raises(NotFound):
                await call
        assert house.changed == []
        assert {user.id for user in await house.people.all(by=ROOT)} == {ALICE, BOB, ROOT}

    async def test_an_administrator_who_no_longer_is_one_can_do_nothing_on_a_page_still_open(
        self, house: House
    ) -> None:
        await house.people.set_role(ALICE, Role.ADMIN, by=ROOT)
        await house.people.set_role(ROOT, Role.USER, by=ALICE)
        with pytest.raises(NotFound):
            await house.people.disable(ALICE, True, by=ROOT)

    async def test_a_disabled_user_loses_the_box_and_keeps_everything_in_it(self, house: House) -> None:
        await house.new(ALICE)
        await house.runners.get_or_start(ALICE)
        await house.people.disable(ALICE, True, by=ROOT)
        assert not house.spawner.alive
        assert ALICE in house.spawner.disks
        assert [user.disabled for user in house.changed] == [True]
        await house.people.disable(ALICE, False, by=ROOT)
        assert (await house.deeds())[:2] == ["user_enabled", "user_disabled"]

    async def test_nobody_decides_about_themselves_or_against_the_settings(self, house: House) -> None:
        boss = await house.person("5", email="boss@example.com", role=Role.ADMIN)
        for call in (
            house.people.disable(ROOT, True, by=ROOT),
            house.people.set_role(ROOT, Role.USER, by=ROOT),
            house.people.set_role(boss.user_id, Role.USER, by=ROOT),
        ):
            with pytest.raises(Conflict):
                await call


class TestAnnouncements:
    async def test_everybody_who_looks_hears_of_it_until_it_is_taken_down(self, house: House) -> None:
        heard: list[str] = []
        async with Announcements(store=house.store, audit=house.audit) as here:
            stop = here.watch(heard.append)
            await here.announce("  오늘 밤\n점검이 있어요 ", by=ROOT)
            async with Announcements(store=house.store, audit=house.audit) as elsewhere:
                assert elsewhere.text == "오늘 밤 점검이 있어요"
            await here.announce("", by=ROOT)
            stop()
            await here.announce("unheard", by=ROOT)
        assert heard == ["", "오늘 밤 점검이 있어요", ""]

    async def test_a_novel_is_refused(self, house: House) -> None:
        async with Announcements(store=house.store, audit=house.audit) as here:
            with pytest.raises(BadInput):
                await here.announce("x" * 501, by=ROOT)


async def test_a_rule_that_is_taken_back_is_gone_and_the_clis_that_knew_it_end(house: House) -> None:
    session = await house.new(ALICE)
    await house.conversations.answer(session.id, "r1", user=ALICE, decision="allow_always", rule="Bash(git push:*)")
    agent = await house.agents.get(session.agent, user=ALICE)
    assert agent.rules == ("Bash(git push:*)",)
    with pytest.raises(NotFound):
        await house.agents.remove_rule(agent.id, agent.rules[0], user=BOB)
    await house.agents.remove_rule(agent.id, agent.rules[0], user=ALICE)
    assert (await house.agents.get(agent.id, user=ALICE)).rules == ()
    assert f"POST /v1/agents/{agent.id}/rest" in house.spawner.runner_of(ALICE).calls
    assert (await house.deeds())[:4] == ["rule_removed", "rule_added", "request_answered", "agent_created"]
