"""A process with all libraries and none of our code loaded; it forks for every run.

`python -m tests.guards.fork_server` starts it.

A line of JSON in (`tests`, `limit_s`, `wait_s`, `folder` for their files), a line of JSON out (`Outcome` of tree.py).
"""

import contextlib
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import time
import traceback
from typing import Any

import pytest

# What takes long to import. Nothing of ours: that is what a row changes.
LIBRARIES = (
    "aiohttp.web", "aiosqlite", "authlib.integrations.httpx_client", "authlib.oidc.core",
    "axe_playwright_python.async_playwright", "babel.dates", "claude_agent_sdk",
    "cryptography.hazmat.primitives.asymmetric.padding", "fastapi", "httpx", "httpx2", "hypothesis", "itsdangerous",
    "joserfc.jwt", "markdown_it", "msgspec", "nicegui", "playwright.async_api", "playwright.sync_api", "psutil",
    "pygments.lexers", "pytest_asyncio", "socketio", "uvicorn",
)  # fmt: skip
OPTIONS = ("-x", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin")
QUIET = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of libraries that are loaded already
TOLD_CHARS = 4000


class Recorder:
    """A plugin that remembers which tests were red, and by what."""

    def __init__(self) -> None:
        self.ran, self.skipped, self.red = 0, "", list[dict[str, str]]()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
        report = yield
        self.ran += report.when == "call"
        if report.skipped:
            self.skipped = str(report.longrepr)
        if report.failed:
            kind = call.excinfo.type.__name__ if call.excinfo else ""
            crash = getattr(report.longrepr, "reprcrash", None)
            self.red.append({"phase": report.when, "error": kind, "file": crash.path if crash else ""})
        return report


def main() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage at every end, and would look through all the libraries' objects each time
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        sys.stdout.buffer.write(json.dumps(_forked(asked)).encode() + b"\n")
        sys.stdout.buffer.flush()


def _forked(asked: dict[str, Any]) -> dict[str, Any]:
    """Run a test in a forked child, and end it with everything that it started if it takes too long."""
    log = f"{asked['folder']}.log"
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(end)
        os.setpgid(0, 0)
        _redirect(log)
        said = _run(asked)
        os.write(start, json.dumps(said).encode())
        os._exit(0)
    os.close(start)
    try:
        said = _read(end, asked["limit_s"])
    finally:
        os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        shutil.rmtree(asked["folder"], ignore_errors=True)
    with open(log, encoding="utf-8", errors="replace") as file:
        return said | {"told": file.read()[-TOLD_CHARS:]}


def _redirect(log: str) -> None:
    """Send the tests' output elsewhere, because our own answer goes to stdout."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for own, target in ((nothing, 0), (handle, 1), (handle, 2)):
        os.dup2(own, target)


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    recorder = Recorder()
    os.environ["TEST_WAIT_S"] = str(asked["wait_s"])
    words = [*OPTIONS, *QUIET, f"--basetemp={asked['folder']}", *asked["tests"]]
    try:
        code = pytest.main(words, plugins=[recorder])
    except BaseException:  # noqa: BLE001  # pytest lets out what a broken test left to the garbage collector
        traceback.print_exc()
        code = pytest.ExitCode.TESTS_FAILED if recorder.red else pytest.ExitCode.INTERNAL_ERROR
    return {"code": int(code), "ran": recorder.ran, "skipped": recorder.skipped, "red": recorder.red}


def _read(end: int, limit_s: float) -> dict[str, Any]:
    """Return the child's answer, or that it gave none in time."""
    until, said = time.monotonic() + limit_s, b""
    while select.select([end], [], [], max(0.0, until - time.monotonic()))[0]:
        if not (piece := os.read(end, 65536)):
            return json.loads(said) if said else {"code": -1}  # type: ignore[no-any-return]
        said += piece
    return {"code": -1}


if __name__ == "__main__":
    main()
