"""Tests of migrations in both directions: nothing is lost or doubled, whenever they were ended and started again."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.config.settings import Settings
from core.domain.audit import AuditEntry
from core.domain.errors import Conflict, Misconfigured, StoreUnavailable
from core.domain.events import AnyEvent, Text, numbered
from core.domain.records import SYSTEM, Agent, Box, Login, Session, User, UserId
from core.operations.migration import copy, migrate, rows_of, tally
from core.store import Store, sqlite_search
from core.store.factory import open_store
from core.store.rows import KINDS
from core.store.sqlite import SqliteStore
from tests.firestore_emulator import Emulator
from tests.timeouts import PATIENCE_S

ALICE, BOB = UserId("google-1"), UserId("u/강")
DAY = datetime(2026, 11, 22, 1, 2, 3, 450000, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path, project: str, firestore_emulator: Emulator) -> Settings:
    return Settings(data_dir=tmp_path / "data", gcp_project=project, firestore_emulator=firestore_emulator.host)


def on(settings: Settings, store: str) -> Settings:
    return replace(settings, store=store)  # type: ignore[arg-type]


def wrote(seq: int, text: str = "안녕하세요") -> AnyEvent:
    return numbered(Text(message="m", block=0, text=f"{text} {seq}"), seq=seq, at=DAY)


async def furnish(store: Store) -> None:
    """Something of everything."""
    for user in (ALICE, BOB):
        person = User(id=user, issuer="x", subject=user, name="김철수", created_at=DAY, seen_at=DAY)
        login = Login(id=f"l-{user}", user=user, created_at=DAY, seen_at=DAY, expires_at=DAY)
        box = Box(id=f"b-{user}", user=user, key="k", spawner_state={"pid": 1, "a": [[1], {}]}, started_at=DAY)
        for record in (person, login, box):
            await store.put(record, owner=SYSTEM)
        for n in range(250):
            await store.put(
                Agent(id=f"a{n}", name="정리", rules=("Bash(x)",), created_at=DAY, updated_at=DAY), owner=user
            )
        await store.put(Session(id="s/1", agent="a1", created_at=DAY, updated_at=DAY, cost_usd=0.1), owner=user)
        await store.append("s/1", [wrote(n) for n in range(1, 451)], owner=user)
        await store.append("s2", [wrote(1, "x" * 1_500_000), wrote(2)], owner=user)
        for key in ("2026-11", "agent/a1/2026-11"):
            await store.add_usage(key, owner=user, turns=1, cost_usd=0.1, **{"seq_s/1": 7})
            await store.add_usage(key, owner=user, turns=2, cost_usd=0.2)
    for n in range(3):
        await store.add_audit_entry(AuditEntry(at=DAY, what=f"deed-{n}", who=ALICE))


def add_what_only_a_newer_program_knows(database: Path) -> None:
    assert "comet" not in KINDS
    with closing(sqlite3.connect(database)) as db:
        db.create_function(sqlite_search.FUNCTION, 1, lambda text: text or "")
        db.execute("UPDATE records SET body = json_set(body, '$.mascot', json('[[\"호랑이\"], 1.5]')) WHERE id = 'a1'")
        db.execute(
            'INSERT INTO records VALUES (\'comet\', ?, \'t1\', \'{"id":"t1","due":"2026-12-01T00:00:00Z"}\')',
            (ALICE,),
        )
        db.execute(
            'INSERT INTO events VALUES (?, \'s3\', 1, \'\', \'{"seq":1,"type":"sang","song":[1,[2]]}\')', (ALICE,)
        )
        db.commit()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Furnished once, for all."""
    path = tmp_path_factory.mktemp("furnished") / "oma.db"

    async def fill() -> None:
        async with await SqliteStore.open(path) as store:
            await furnish(store)

    asyncio.run(fill())
    add_what_only_a_newer_program_knows(path)
    return path


@pytest.fixture
def furnished(settings: Settings, database: Path) -> Settings:
    settings.data_dir.mkdir()
    shutil.copy(database, settings.data_dir)
    return settings


async def counted(settings: Settings, store: str) -> object:
    async with open_store(on(settings, store)) as opened:
        return await tally(rows_of(opened))


async def test_everything_goes_there_and_back_and_doing_it_again_changes_nothing(furnished: Settings) -> None:
    before = await counted(furnished, "sqlite")
    moved = await migrate(furnished, to="firestore")
    assert (moved.tally, moved.already) == (before, False)
    assert moved.tally.rows == {
        "user": 2, "login": 2, "box": 2, "agent": 500, "session": 2, "comet": 1,
        "events": 905, "counters": 12, "audit": 3,
    }  # fmt: skip
    assert (await migrate(furnished, to="firestore")).already
    first = furnished.data_dir / "oma.db"
    first.rename(furnished.data_dir / "first.db")
    back = await migrate(furnished, to="sqlite")
    assert (back.tally, back.already) == (before, False)
    with closing(sqlite3.connect(first)) as db:
        [(body,)] = db.execute(
            "SELECT json_extract(body, '$.mascot') FROM records WHERE id = 'a1' AND owner = ?", (ALICE,)
        )
        assert body == '[["호랑이"],1.5]'
        [(song,)] = db.execute("SELECT body FROM events WHERE session = 's3'")
        assert song == '{"seq":1,"type":"sang","song":[1,[2]]}'


async def test_the_same_questions_have_the_same_answers_in_both(furnished: Settings) -> None:
    await migrate(furnished, to="firestore")
    async with open_store(on(furnished, "sqlite")) as old, open_store(on(furnished, "firestore")) as new:
        for store in (old, new):
            await store.add_audit_entry(AuditEntry(at=DAY, what="later"))
        for user in (ALICE, BOB):
            for ask in (
                lambda store, user=user: store.find(Session, owner=user, where={"agent": "a1"}, newest_by="updated_at"),
                lambda store, user=user: store.find(Agent, owner=user, limit=1000),
                lambda store, user=user: store.find(Login, owner=SYSTEM, where={"user": user}),
                lambda store, user=user: store.events("s/1", owner=user, after=400),
                lambda store, user=user: store.last_events("s2", owner=user),
                lambda store, user=user: store.all_usage(owner=user),
            ):
                assert await ask(old) == await ask(new)
        assert [act.what for act in await old.audit_entries()] == [act.what for act in await new.audit_entries()]
        assert (await old.audit_entries())[1:] == (await new.audit_entries())[1:]


class Ended(Exception):
    """The process was killed here."""


@pytest.mark.parametrize("writes", [1, 4, 9])
async def test_ended_after_any_write_it_goes_on_where_it_was(furnished: Settings, writes: int) -> None:
    left = writes

    async with open_store(on(furnished, "sqlite")) as old, open_store(on(furnished, "firestore")) as new:
        there = rows_of(new)

        class Cut:
            """The target's rows until the end."""

            def __getattr__(self, name: str) -> object:
                nonlocal left
                if name.startswith("write_"):
                    left -= 1
                    if left < 0:
                        raise Ended
                return getattr(there, name)

        assert await new.claim("migration", holder=f"from {furnished.data_dir / 'oma.db'}", lease_s=60)
        with pytest.raises(Ended):
            await copy(rows_of(old), Cut())  # type: ignore[arg-type]
    moved = await migrate(furnished, to="firestore")
    assert (moved.tally, moved.already) == (await counted(furnished, "sqlite"), False)


async def test_a_store_that_is_somebodys_is_not_written_to(furnished: Settings) -> None:
    async with open_store(on(furnished, "firestore")) as new:
        await new.put(Agent(id="theirs", created_at=DAY, updated_at=DAY), owner=UserId("eve"))
    before = await counted(furnished, "firestore")
    with pytest.raises(Conflict, match="not empty"):
        await migrate(furnished, to="firestore")
    assert await counted(furnished, "firestore") == before


async def test_a_row_that_was_changed_on_the_way_is_found(furnished: Settings) -> None:
    await migrate(furnished, to="firestore")
    async with open_store(on(furnished, "firestore")) as new:
        await new.change(Agent, "a7", owner=BOB, name="다른 것")
    with pytest.raises(Conflict, match="differs"):
        await migrate(furnished, to="firestore")


async def test_without_a_store_there_is_nothing_to_migrate(settings: Settings) -> None:
    with pytest.raises(Misconfigured, match="no store"):
        await migrate(settings, to="firestore")
    assert not settings.data_dir.exists()


def test_every_kind_of_record_is_known_to_the_copy() -> None:
    assert {"user", "login", "agent", "session", "request", "announcement", "outbound", "box"} <= set(KINDS)


async def test_a_firestore_that_is_gone_is_one_error(furnished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr("core.store.firestore_rpc.WAIT_S", 0.5)
    with pytest.raises(StoreUnavailable):
        async with asyncio.timeout(PATIENCE_S):
            await migrate(furnished, to="firestore")
