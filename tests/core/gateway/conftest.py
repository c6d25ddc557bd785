"""One data directory, its store and a living process to be a box's."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.runtime import Process
from core.settings import Settings
from core.store.sqlite import SqliteStore
from tests.core.gateway.house import House, living


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    short = tempfile.mkdtemp(prefix="oma")  # pytest's own folders are too long for sockets
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    settings = Settings(data_dir=tmp_path / "data", model="practice")
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield House(settings, store)
    assert os.listdir(short) in ([], [settings.runtime_dir.name])
    shutil.rmtree(short)


@pytest.fixture
def process() -> Iterator[Process]:
    with living() as (who, _):
        yield who
