"""A draft agent of Alice's with its builder session, in a real store and vault."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.domain.records import Agent, Session, UserId, now
from core.store.sqlite import SqliteStore
from core.tools.tool import ToolContext
from core.vault.local import LocalVault

ALICE = UserId("google-1")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
async def context(tmp_path: Path, store: SqliteStore) -> ToolContext:
    at = now()
    agent = Agent(id="a1", name="Old", created_at=at, updated_at=at)
    session = Session(id="s1", agent="a1", kind="builder", created_at=at, updated_at=at)
    await store.create(agent, owner=ALICE)
    await store.create(session, owner=ALICE)
    return ToolContext(store=store, vault=LocalVault(tmp_path), user=ALICE, session=session, agent=agent, call="c1")
