"""The life of a runner on this machine, beyond what every spawner promises (tests/contract/test_spawner.py)."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.config.runtime_dir import Process, process
from core.domain.errors import PlatformError
from core.domain.records import Box, UserId
from core.spawner import Poll
from core.spawner.local import LocalSpawner
from core.spawner.process_tree import ended
from tests.core.spawner.boxes import ask, attempt, box, local, look, started


@pytest.fixture(params=["bubblewrap", "none"])
def spawner(request: pytest.FixtureRequest, tmp_path: Path) -> LocalSpawner:
    made = local(tmp_path, sandbox=request.param)
    if request.param == "bubblewrap" and made.isolation().missing:
        pytest.skip(made.isolation().missing[0])
    return made


async def test_a_runner_answers_on_its_socket_as_soon_as_it_is_started(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "given['role']") == "runner"
        assert await spawner.poll(running) is Poll.RUNNING


async def test_the_boot_key_is_told_to_the_runner_and_to_nobody_who_looks_at_its_process(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        assert await look(spawner, running, "boot") == {"boot_key": running.key}
        told = await look(spawner, running, "open('/proc/self/cmdline').read() + open('/proc/self/environ').read()")
        assert running.key not in told


async def test_what_an_agent_installs_for_itself_is_nothing_that_its_runner_loads(spawner: LocalSpawner) -> None:
    """Also where the platform has no virtual environment, which would keep it out as well."""
    async with started(spawner) as running:
        assert await look(spawner, running, "sys.flags.no_user_site") == 1


async def test_a_runner_that_ended_by_itself_is_gone(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        await ended_by_itself(spawner, running)
        assert await spawner.poll(running) is Poll.GONE


async def test_a_stopped_runner_is_gone_and_stopping_it_again_does_no_harm(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        await spawner.stop(running, grace_s=0)
        assert await spawner.poll(running) is Poll.GONE
        await spawner.stop(running, grace_s=0)
        assert not Path(running.spawner_state["dir"]).exists()


async def test_a_runner_that_ends_within_the_grace_is_not_waited_for_any_longer(spawner: LocalSpawner) -> None:
    async with started(spawner) as running, at_most(5.0):
        await ask_to_exit(spawner, running)
        await spawner.stop(running, grace_s=60.0)


async def test_a_stop_nobody_waits_for_any_longer_has_ended_the_runner_all_the_same(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        stopping = asyncio.create_task(spawner.stop(running, grace_s=60.0))
        done, _ = await asyncio.wait({stopping}, timeout=0.1)
        assert not done
        stopping.cancel()
        await asyncio.wait({stopping})
        who = Process.read(running.spawner_state)
        assert who
        assert await ended(who, within_s=5.0)
        assert not Path(running.spawner_state["dir"]).exists()


async def test_what_a_runner_started_ends_with_it(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        # Like a shell of the CLI: a session of its own, and its parent forgot it.
        shell = "['setsid', 'sh', '-c', 'echo up; while :; do sleep 777.5; done']"
        await attempt(
            spawner, running, f"import subprocess; subprocess.Popen({shell}, stdout=subprocess.PIPE).stdout.readline()"
        )
        marked = [who for pid in pids() if "777.5" in words(pid) and (who := process(pid))]
        assert marked
        await spawner.stop(running, grace_s=0)
        assert all([await ended(who, within_s=5.0) for who in marked])


async def test_another_process_that_got_the_pid_is_neither_a_runner_nor_killed(spawner: LocalSpawner) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        who = process(stranger.pid)
        assert who
        memory = {"pid": who.pid, "start": who.start - 1, "dir": "/nowhere", "sandbox": "bubblewrap"}
        mistaken = box(**memory)
        assert await spawner.poll(mistaken) is Poll.GONE
        await spawner.stop(mistaken, grace_s=0)
        assert stranger.poll() is None
    finally:
        stranger.communicate(b"\n")


@pytest.mark.parametrize(
    "memory",
    [{"pid": "x", "start": 1}, {"pid": -1, "start": 0}, {"pid": 1}, {"dir": 7}],
    ids=lambda memory: str(memory),
)
async def test_a_memory_that_makes_no_sense_is_a_runner_that_is_gone(spawner: LocalSpawner, memory: dict) -> None:  # type: ignore[type-arg]
    assert await spawner.poll(box(**memory)) is Poll.GONE


@pytest.mark.parametrize("user", ["", ".", "..", "../../etc", "a/b"])
async def test_a_user_whose_name_leads_out_of_the_homes_is_refused(spawner: LocalSpawner, user: str) -> None:
    with pytest.raises(PlatformError):
        async with started(spawner, user=user):
            pass
    with pytest.raises(PlatformError):
        await spawner.forget(UserId(user))


async def ask_to_exit(spawner: LocalSpawner, running: Box) -> None:
    with pytest.raises(ValueError):  # no answer
        await ask(spawner, running, exit=0)


async def ended_by_itself(spawner: LocalSpawner, running: Box) -> None:
    who = Process.read(running.spawner_state)
    assert who
    await ask_to_exit(spawner, running)
    assert await ended(who, within_s=5.0)


@asynccontextmanager
async def at_most(seconds: float) -> AsyncIterator[None]:
    async with asyncio.timeout(seconds):
        yield


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
