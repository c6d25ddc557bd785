"""Fixtures of all tests, and the rule that with `CI=true` nothing is skipped."""

import os
from collections.abc import AsyncIterator, Generator
from typing import Any

import pytest

from tests.model_server import ModelServer


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    """A scripted Messages API in the test's own loop."""
    async with ModelServer() as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A box, a browser or an emulator that is not there must not look like success."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    return report
