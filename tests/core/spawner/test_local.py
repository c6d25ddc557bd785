"""The life of a runner on one machine: it outlives who started it, leaves nothing behind, and fails with a sentence."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from core.config import runtime_dir
from core.config.runtime_dir import Process, Runtime, process
from core.config.settings import Settings
from core.domain.errors import Misconfigured, RunnerUnavailable
from core.domain.records import Box, UserId
from core.spawner import Poll
from core.spawner.local import LOG_BYTES, LOGS_KEPT, LocalSpawner
from core.spawner.process_tree import ended, kill
from tests.core.spawner.boxes import ask, attempt, box, local, look, program, started
from tests.timeouts import PATIENCE_S

REPOSITORY = Path(runtime_dir.__file__).parents[2]

# A web process that starts one runner, tells what it remembers, and then waits to be killed.
WEB = """
import asyncio, sys
from pathlib import Path
import msgspec
from tests.core.spawner.boxes import box, local

async def main():
    memory = await local(Path(sys.argv[1])).start(box())
    print(msgspec.json.encode(memory).decode(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_a_runner_outlives_the_sigkill_of_the_web_and_is_found_again(
    spawner: LocalSpawner, tmp_path: Path
) -> None:
    web = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WEB, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    assert web.stdout
    async with asyncio.timeout(PATIENCE_S):
        memory = msgspec.json.decode(await web.stdout.readline())
    found = box(**memory)
    try:
        await attempt(spawner, found, "memory_of_it = 'kept'")
        web.kill()
        await web.wait()
        assert await spawner.poll(found) is Poll.RUNNING
        assert await look(spawner, found, "memory_of_it") == "kept"
        sessions = [os.getsid(pid) for pid in (memory["pid"], web_parent_of(memory["pid"]))]
        assert os.getsid(0) not in sessions  # nor does a Ctrl-C in the web's terminal reach it
    finally:
        await spawner.stop(found, grace_s=0)
    assert await spawner.poll(found) is Poll.GONE


async def test_a_runner_that_nobody_wrote_down_is_found_and_ended(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        await look(spawner, running, "1")
        forgotten = msgspec.structs.replace(running, spawner_state={})  # its web was killed before it could
        assert await spawner.poll(forgotten) is Poll.GONE
        await spawner.stop(forgotten, grace_s=0)
        assert not who(running).alive()
        assert await spawner.poll(running) is Poll.GONE


def web_parent_of(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[1])


async def test_fifty_lives_leave_no_process_no_descriptor_and_no_folder(spawner: LocalSpawner, tmp_path: Path) -> None:
    before = children_of_ours()
    async with started(spawner, id="warm-up"):
        pass
    open_before, folders_before = len(os.listdir("/proc/self/fd")), folders(tmp_path)
    lives: list[Process] = []
    for number in range(50):
        async with started(spawner, id=f"b{number}") as running:
            lives.append(who(running))
            if number % 2:
                await look(spawner, running, "1")  # else it is stopped before it is up
    assert not any(life.alive() for life in lives)
    assert children_of_ours() == before
    assert len(os.listdir("/proc/self/fd")) == open_before
    assert folders(tmp_path) == folders_before


def folders(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*") if path.is_dir() and "__pycache__" not in path.parts)


def children_of_ours() -> list[str]:
    """Return our child processes, including those of other tests: a browser's driver, servers of a worker."""
    own = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [pid for tasks in own for pid in tasks.read_text().split()]


def who(running: Box) -> Process:
    found = Process.read(running.spawner_state)
    assert found
    return found


async def test_the_death_of_the_boxs_init_is_the_end_of_everything_in_it(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        inner = "['setsid', 'sh', '-c', 'echo up; while :; do sleep 778.5; done']"
        await attempt(
            spawner, running, f"import subprocess; subprocess.Popen({inner}, stdout=subprocess.PIPE).stdout.readline()"
        )
        assert any("778.5" in line for line in command_lines())
        kill(who(running))
        assert await ended(who(running), within_s=PATIENCE_S)
        assert await spawner.poll(running) is Poll.GONE
        assert not any("778.5" in line for line in command_lines())


def command_lines() -> list[str]:
    found = []
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            found.append(Path(f"/proc/{pid}/cmdline").read_text())
        except OSError:
            continue
    return found


async def test_a_runner_that_nobody_can_reach_any_more_is_ended(spawner: LocalSpawner) -> None:
    async with started(spawner) as running:
        Path(spawner.endpoint(running).unix).unlink()  # by something that tidies /tmp
        assert await spawner.poll(running) is Poll.GONE
        assert not who(running).alive()


async def test_while_it_is_being_started_poll_says_so(spawner: LocalSpawner) -> None:
    asked = box()
    starting = asyncio.create_task(spawner.start(asked))
    await asyncio.sleep(0)
    assert await spawner.poll(asked) is Poll.STARTING
    running = box(**await starting)
    await spawner.stop(running, grace_s=0)


async def test_a_box_that_cannot_be_made_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    spawner, before = local(tmp_path), children_of_ours()
    if spawner.isolation().missing:
        pytest.skip("no bubblewrap here")
    (tmp_path / "program" / "main.py").unlink()
    with pytest.raises(RunnerUnavailable, match=r"main\.py"):
        await spawner.start(box())
    assert list((tmp_path / "run" / "b").iterdir()) == []
    assert children_of_ours() == before


async def test_it_works_where_the_program_lies_in_a_private_folder(tmp_path: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    spawner = local(private)
    if spawner.isolation().missing:
        pytest.skip("no bubblewrap here")
    async with started(spawner) as running:
        assert await look(spawner, running, "sys.argv[0]") == "/opt/oma/main.py"


async def test_homes_logs_and_sockets_are_private(spawner: LocalSpawner, tmp_path: Path) -> None:
    async with started(spawner) as running:
        data = tmp_path / "data"
        for folder in (
            data,
            data / "homes",
            data / "homes" / "local-owner",
            data / "logs",
        ):
            assert folder.stat().st_mode & 0o077 == 0, folder
        assert Path(spawner.endpoint(running).unix).stat().st_mode & 0o077 == 0


async def test_what_a_runner_prints_is_kept_for_one_life_and_has_an_end(spawner: LocalSpawner, tmp_path: Path) -> None:
    log = tmp_path / "data" / "logs" / "runner-local-owner-b1.log"
    async with started(spawner) as running:
        await attempt(spawner, running, f"print('x' * {LOG_BYTES + 1}, flush=True)")
        assert log.stat().st_size > LOG_BYTES
        assert await spawner.poll(running) is Poll.RUNNING
        assert log.stat().st_size == 0
        await attempt(spawner, running, "print('more', flush=True)")
        assert log.read_text() == "more\n"
    async with started(spawner) as running:
        await look(spawner, running, "1")
        assert log.read_text() == "stand-in is up\n"


async def test_logs_of_old_runners_do_not_pile_up(spawner: LocalSpawner, tmp_path: Path) -> None:
    logs = tmp_path / "data" / "logs"
    logs.mkdir(parents=True)
    for number in range(LOGS_KEPT + 5):
        (logs / f"runner-old{number}.log").touch()
    async with started(spawner):
        assert len(list(logs.iterdir())) == LOGS_KEPT


async def test_the_log_of_a_runner_that_lives_stays_however_many_came_after(
    spawner: LocalSpawner, tmp_path: Path
) -> None:
    logs = tmp_path / "data" / "logs"
    async with started(spawner, user="u1", id="b1"):
        (lives,) = logs.iterdir()
        os.utime(lives, (1, 1))  # it has had nothing to say for long
        for number in range(LOGS_KEPT + 5):
            (logs / f"runner-old{number}.log").touch()
        async with started(spawner, user="u2", id="b2"):
            assert lives.exists()


async def test_a_forgotten_home_goes_whole_and_takes_nothing_else_with_it(
    spawner: LocalSpawner, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    (outside / "kept").touch()
    home = tmp_path / "data" / "homes" / "u-1"
    (home / "locked" / "deep").mkdir(parents=True)
    (home / "locked" / "deep" / "file").touch()
    (home / "link").symlink_to(outside)
    (home / "locked").chmod(0)
    await spawner.forget(UserId("u-1"))
    assert not home.exists()
    assert (outside / "kept").exists()
    assert outside.stat().st_mode & 0o777 == 0o750


async def test_a_forgotten_home_goes_however_deep_its_folders_are(spawner: LocalSpawner, tmp_path: Path) -> None:
    async with started(spawner, user="u-1") as running:
        dig = "import os; os.chdir(given['home']); [(os.mkdir('d'), os.chdir('d')) for _ in range(3000)]"
        await attempt(spawner, running, f"{dig}; open('f', 'w').close(); os.chmod('.', 0); answer = os.chdir('/')")
    home = tmp_path / "data" / "homes" / "u-1"
    try:
        await spawner.forget(UserId("u-1"))
        assert not home.exists()
    finally:
        subprocess.run(["/bin/rm", "-rf", home], check=True)  # pytest's own clearing up does not go that deep


async def test_where_a_sandbox_is_demanded_and_not_to_be_had_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no bwrap
    spawner = local(tmp_path, sandbox="bubblewrap")
    assert spawner.isolation().name == "none"
    assert "bubblewrap" in spawner.isolation().missing[0]
    with pytest.raises(Misconfigured, match="no sandbox for agents"):
        spawner.check()
    with pytest.raises(RunnerUnavailable):
        await spawner.start(box())


async def test_one_person_on_one_machine_may_go_on_without_and_is_told_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        spawner = local(tmp_path, sandbox="auto")
        spawner.check()
    assert spawner.isolation().missing
    async with started(spawner) as running:
        assert running.spawner_state["sandbox"] in ("landlock", "none")
        home = await look(spawner, running, "[os.environ['HOME'], os.getcwd(), given['home']]")
        assert home == [str(tmp_path / "data" / "homes" / "local-owner")] * 3


async def test_a_relative_data_folder_means_the_same_for_the_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run" / "b").mkdir(parents=True)
    settings = Settings(data_dir=Path("data"), sandbox="none")
    spawner = LocalSpawner(settings, Runtime(tmp_path / "run"), program=program(tmp_path / "program"))
    async with started(spawner) as running:
        assert await ask(spawner, running, look="given['home']") == str(tmp_path / "data" / "homes" / "local-owner")


def test_the_identity_of_a_process_is_more_than_its_number() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        alive = process(child.pid)
        assert alive
        kill(Process(pid=alive.pid, start=alive.start + 1))
        assert child.poll() is None
        kill(alive)
        assert child.wait(5) == -signal.SIGKILL
    kill(alive)  # it is gone: nobody is hit
