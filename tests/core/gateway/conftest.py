"""Fixtures: a data directory, its store, a living process as a box's, and a Google library that gives up soon."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.config.runtime_dir import Process
from core.config.settings import Settings
from core.store.sqlite import SqliteStore
from tests.core.gateway.gateway_harness import GatewayHarness, living_process


@pytest.fixture
async def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GatewayHarness]:
    short = tempfile.mkdtemp(prefix="oma")  # pytest's own folders are too long for sockets
    monkeypatch.setenv("XDG_RUNTIME_DIR", short)
    settings = Settings(data_dir=tmp_path / "data", model="practice")
    async with await SqliteStore.open(tmp_path / "oma.db") as store:
        yield GatewayHarness(settings, store)
    assert os.listdir(short) in ([], [settings.runtime_dir.name])
    shutil.rmtree(short)


@pytest.fixture
def process() -> Iterator[Process]:
    with living_process() as (who, _):
        yield who


@pytest.fixture
async def soon() -> AsyncIterator[None]:
    """Google's library asks again soon, not after 15 seconds: the loop waits in the end for the thread it is in."""
    with pytest.MonkeyPatch.context() as patch:
        brief = SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.2)))
        patch.setattr("google.auth._exponential_backoff.time", brief)
        yield
        await asyncio.get_running_loop().shutdown_default_executor()
