"""Fixtures of all tests, and two rules: with `CI=true` nothing is skipped; nobody leaves the platform's key behind."""

import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect as later
from playwright.sync_api import expect

from tests.canary import name_folders, pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  # two hooks
from tests.firestore_emulator import Emulator, emulator_jar
from tests.model_server import ModelServer
from tests.order import in_order

# A suite in the background of a shell inherits deafness to Ctrl-C, and would pass it on to every product it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

for one in (later, expect):
    one.set_options(timeout=30_000)  # a wait that ends in success costs nothing; two workers share two busy cores


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder with a path so short that sockets fit below it; `tmp_path` has the test's name in it."""
    with tempfile.TemporaryDirectory(prefix="oma-") as path:
        yield Path(path)


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A scripted Messages API in the test's own loop."""
    async with ModelServer() as server:
        yield server


@pytest.fixture(scope="session")
def firestore_emulator() -> Iterator[Emulator]:
    """Google's own emulator, started by the first test that wants it and shared by all."""
    if not emulator_jar():
        pytest.skip("no Firestore emulator here: apt-get install google-cloud-cli-firestore-emulator, or Google's SDK")
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def project(firestore_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database: the emulator has one per project, whatever the project is called."""
    monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator.host)
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.hookimpl(trylast=True)  # when it is known which ones run at all
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones first, so that at the end no worker waits for another's."""
    items[:] = in_order(items, getattr(config, "workerinput", {}).get("workercount", 1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A box, a browser or an emulator that is not there must not look like success."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    name_folders(item, report)
    return report
