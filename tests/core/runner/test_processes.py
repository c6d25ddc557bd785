"""Tests that processes with a session's mark are found and ended, and all others are left alone."""

import asyncio
import os
import subprocess
import time
import uuid
from collections.abc import Iterator

import pytest

from core.runner.processes import Marked, Reaper, boottime, end_all, marked

STUBBORN = "trap '' TERM; while :; do sleep 0.2; done"


@pytest.fixture
def session() -> Iterator[str]:
    name = str(uuid.uuid4())
    yield name
    for process in marked(name):
        os.kill(process.pid, 9)


def start(session: str, line: str = "exec sleep 300") -> subprocess.Popen[bytes]:
    env = {"OMA_SESSION": session, "PATH": "/usr/bin:/bin"}
    return subprocess.Popen(["sh", "-c", line], env=env, start_new_session=True)


async def test_everything_marked_is_gone_within_two_seconds_even_what_ignores_sigterm(session: str) -> None:
    processes = [start(session), start(session, STUBBORN), start(session, f"({STUBBORN}) & {STUBBORN}")]
    stranger = start("another")
    while not {process.pid for process in processes} <= {one.pid for one in marked(session)}:
        await asyncio.sleep(0.01)  # what is between fork and exec carries no mark yet
    started = time.monotonic()
    await end_all(session)
    assert time.monotonic() - started < 5  # 2 s on a machine with nothing else to do
    assert marked(session) == [] and stranger.poll() is None
    for process in (*processes, stranger):
        process.kill()
        process.wait(5)


async def test_what_takes_its_time_to_die_is_waited_for(session: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a killed process is there for some time yet."""
    stubborn = start(session, STUBBORN)
    killed_at: list[float] = []

    def lingering(name: str) -> list[Marked]:
        found = marked(name)
        if not found and not killed_at:
            killed_at.append(time.monotonic())
        return found or [Marked(stubborn.pid, 0.0)] * (time.monotonic() < killed_at[0] + 0.3)

    while stubborn.pid not in {one.pid for one in marked(session)}:
        await asyncio.sleep(0.01)
    monkeypatch.setattr("core.runner.processes.marked", lingering)
    await end_all(session)
    assert time.monotonic() >= killed_at[0] + 0.3
    stubborn.wait(5)


async def test_what_was_there_before_and_who_is_spared_stays(session: str) -> None:
    server = start(session)
    await asyncio.sleep(0.05)  # start times are counted in hundredths of a second
    since = boottime()
    cli, tool = start(session), start(session)
    await end_all(session, spare=cli.pid, since=since)
    assert tool.wait(5) != 0
    assert server.poll() is None and cli.poll() is None
    for process in (server, cli):
        process.kill()
        process.wait(5)


def test_an_orphan_is_reaped_when_it_is_met_twice() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    reaper = Reaper()
    reaper.reap()
    assert os.path.exists(f"/proc/{pid}")
    for _ in range(10):  # one a call, and other tests may have left some
        reaper.reap()
    assert not os.path.exists(f"/proc/{pid}")
