"""The second-best box: what a runner under Landlock can and cannot do, and that its CLI works there."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.config.runtime_dir import started_at
from core.config.settings import Settings
from core.domain.errors import Misconfigured
from core.spawner import cgroup, process, user_ids
from core.spawner.host import inspect_host as look_at_host
from core.spawner.local import LocalSpawner
from core.spawner.probe import choose, describe, try_cage
from core.spawner.user_ids import TRIAL
from tests.core.spawner.boxes import attempt, local, look, started
from tests.core.spawner.test_box import LIBC
from tests.timeouts import PATIENCE_S

# A session of its own that nothing in its environment gives away; by the time its pid is known, it is that.
CHILD = "import subprocess as s; answer = s.Popen(['sleep', '776.5'], env={}, start_new_session=True).pid"

CHILD_IN_A_NAMESPACE = "libc(libc_.syscall(clone, 0x10000011, 0, 0, 0, 0))"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")
THREAD = "import threading as t; told = []; x = t.Thread(target=lambda: told.append('a thread')); x.start(); x.join()"


@pytest.fixture
def caged(tmp_path: Path) -> LocalSpawner:
    made = local(tmp_path, sandbox="landlock")
    if made.isolation().name != "landlock":
        pytest.skip("no Landlock here")
    return made


async def test_files_of_the_machine_and_of_others_are_out_of_reach_and_the_own_home_is_not(
    caged: LocalSpawner, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("x")
    async with started(caged) as running:
        for way in (f"open('{tmp_path}/secret')", f"os.listdir('{tmp_path}')", "open('/etc/shadow')",
                    "os.listdir('/tmp')", f"open('{tmp_path}/new', 'w')", "open('/usr/new', 'w')",
                    "open(given['home'] + '/../../../secret')"):  # fmt: skip
            said = await look(caged, running, way)
            assert said.startswith(("PermissionError", "FileNotFoundError")), way  # nothing private is even there
        assert await attempt(caged, running, "answer = open(given['home'] + '/kept', 'w').write('y')") == 1
        assert await look(caged, running, "__import__('msgspec').__name__") == "msgspec"
        assert (await look(caged, running, "__import__('tempfile').gettempdir()")).endswith("/.oma/tmp")


async def test_a_link_in_the_home_makes_nothing_outside_of_it(
    caged: LocalSpawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_ids, "trouble", lambda _: "shared")  # one of another id could not pass the folders above
    caged = local(tmp_path, sandbox="landlock")
    home, outside = tmp_path / "data" / "homes" / "local-owner", tmp_path / "outside"
    for folder in (home, outside):
        folder.mkdir(parents=True)
    (home / ".oma").symlink_to(outside)
    async with started(caged) as running:
        assert await look(caged, running, "1") == 1
        assert list(outside.iterdir()) == []


async def test_it_makes_no_namespaces(caged: LocalSpawner) -> None:
    async with started(caged) as running:
        assert (await attempt(caged, running, LIBC + CHILD_IN_A_NAMESPACE)).startswith("PermissionError")
        assert await attempt(caged, running, f"{THREAD}; answer = told") == ["a thread"]


async def test_other_processes_can_neither_be_looked_into_nor_be_ended(caged: LocalSpawner) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        async with started(caged) as running:
            for way in (f"os.kill({stranger.pid}, 9)", f"open('/proc/{stranger.pid}/environ').read()",
                        f"open('/proc/{stranger.pid}/mem', 'rb')", "__import__('socket').socket(40, 1)"):  # fmt: skip
                assert (await look(caged, running, way)).startswith("PermissionError"), way
            assert await look(caged, running, "open('/proc/self/status').read().count('NoNewPrivs:\\t1')") == 1
        assert stranger.poll() is None
        stranger.communicate(b"\n")


async def test_the_real_cli_starts_there(caged: LocalSpawner) -> None:
    async with started(caged) as running:
        cli = "__import__('subprocess').run([given['cli'], '--version'], capture_output=True, text=True).stdout"
        assert "Claude Code" in await look(caged, running, cli)


async def test_what_it_started_ends_with_it(caged: LocalSpawner) -> None:
    async with started(caged) as running:
        pid = await attempt(caged, running, CHILD)
        groups = running.spawner_state["groups"]
    if not groups and os.geteuid():
        pytest.skip("without control groups and ids of users a process that hides its mark is not found")
    async with asyncio.timeout(PATIENCE_S):
        while started_at(pid):  # a zombie has ended; who reaps it is the machine's business
            await asyncio.sleep(0.02)


@ROOT
async def test_what_it_started_ends_with_it_without_control_groups_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caged: LocalSpawner
) -> None:
    monkeypatch.setattr(cgroup, "find", lambda: [])
    spawner = local(tmp_path, sandbox="landlock")
    if next(layer for layer in spawner.isolation().layers if layer.number == "L2").why:
        pytest.skip("no ids of users here")
    async with started(spawner, user="u1", id="b1") as running, started(spawner, user="u2", id="b2") as other:
        assert not running.spawner_state["groups"]
        pid = await attempt(spawner, running, CHILD)
        await spawner.stop(running, grace_s=0)
        async with asyncio.timeout(PATIENCE_S):
            while started_at(pid):
                await asyncio.sleep(0.02)
        assert await look(spawner, other, "1 + 1") == 2  # somebody else's goes on


@pytest.mark.parametrize("ids", [False, pytest.param(True, marks=ROOT)], ids=["shared id", "own id"])
def test_a_cage_that_does_not_hold_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: bool) -> None:
    open_landlock = tmp_path / "landlock.py"
    open_landlock.write_text("import os, sys; os.execv(sys.argv[3], sys.argv[3:])")
    host = look_at_host()
    if not try_cage(host):
        pytest.skip("no Landlock here")
    monkeypatch.setattr(process.landlock, "__file__", str(open_landlock))
    assert not try_cage.__wrapped__(host, TRIAL if ids else None)


def test_it_is_the_second_choice_and_production_does_not_take_it() -> None:
    assert choose(Settings(), "", landlock=True) == "bubblewrap"
    assert choose(Settings(), "broken", landlock=True) == "landlock"
    for settings in (Settings(env="production"), Settings(sandbox="bubblewrap")):
        with pytest.raises(Misconfigured, match="broken"):
            choose(settings, "broken", landlock=True)
    with pytest.raises(Misconfigured, match="Landlock"):
        choose(Settings(sandbox="landlock"), "", landlock=False)
    told = describe(Settings(), "broken", landlock=True)
    assert told.name == "landlock" and told.missing == ("broken",)
    assert {layer.id for layer in told.layers if layer.live} >= {"key", "settings", "fallback"}
