"""The runtime directory is private, processes are told apart from their successors, and there is one key."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import runtime_dir as module
from core.config.runtime_dir import Process, Runtime
from core.config.settings import Secret, Settings
from core.domain.errors import Misconfigured


@pytest.fixture
def settings(tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_dir))
    return Settings(data_dir=tmp_path / "data")


def test_the_directory_is_for_us_alone_also_when_it_was_there_with_other_rights(settings: Settings) -> None:
    settings.runtime_dir.mkdir(mode=0o755)
    made = module.make(settings)
    assert made.root.stat().st_mode & 0o777 == 0o700
    assert made.boxes.is_dir()


def test_a_directory_of_somebody_else_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.runtime_dir.mkdir()
    there = settings.runtime_dir
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    monkeypatch.setattr(Settings, "runtime_dir", there)
    with pytest.raises(Misconfigured, match="somebody else"):
        module.make(settings)


def test_a_link_in_its_place_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    settings.runtime_dir.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match="somebody else"):
        module.make(settings)


def test_a_path_too_long_for_sockets_is_refused_with_what_to_do(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("long" * 30)))
    with pytest.raises(Misconfigured, match="XDG_RUNTIME_DIR"):
        module.make(settings)


def test_what_a_box_sees_lies_apart_from_its_runners_socket(tmp_path: Path) -> None:
    place = Runtime(tmp_path / "gone")
    place.make_box("b1")
    place.make_box("b1")
    assert {path.stat().st_mode & 0o777 for path in (place.root, place.boxes, *place.boxes.glob("**/"))} == {0o700}
    assert place.box_socket("b1").parent == place.box_out("b1")
    assert place.runner_socket("b1").parent != place.box_out("b1")
    place.remove_box("b1")
    place.remove_box("b1")
    assert not place.box("b1").exists()


def test_a_process_lives_until_it_is_dead_and_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    who = module.process(child.pid)
    assert who and who.alive()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not who.alive(), "a zombie is what is left of a process"
    child.communicate()
    assert not who.alive()
    assert module.process(child.pid) is None


def test_another_process_with_the_same_pid_is_another_process() -> None:
    me = module.process()
    assert me and me.alive()
    assert not Process(pid=me.pid, start=me.start - 1).alive()


def test_a_name_with_parentheses_and_spaces_does_not_hide_the_start_time(tmp_path: Path) -> None:
    odd = tmp_path / "a) S 1 (b"
    odd.symlink_to("/bin/sleep")
    child = subprocess.Popen([odd, "30"])
    try:
        ours = module.process()
        theirs = module.process(child.pid)
        assert ours and theirs and ours.start <= theirs.start
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    "memory", [{}, {"pid": 5}, {"pid": "5", "start": 1}, {"pid": -1, "start": 1}, {"pid": None, "start": None}]
)
def test_a_memory_that_names_no_process_gives_none(memory: dict[str, object]) -> None:
    assert Process.read(memory) is None


def test_the_setting_is_the_key_when_it_is_set(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", session_secret=(Secret("first"), Secret("old")))
    assert module.platform_key(settings) == "first"
    assert not (tmp_path / "data").exists()


def test_the_key_is_made_once_for_us_alone_and_does_not_show_itself(settings: Settings) -> None:
    key = module.platform_key(settings)
    assert module.platform_key(settings) == key
    assert key not in repr(key)
    assert [path.name for path in settings.data_dir.iterdir()] == ["secret"]
    assert (settings.data_dir / "secret").stat().st_mode & 0o777 == 0o600


async def test_all_who_start_at_once_have_the_same_key(settings: Settings) -> None:
    keys = await asyncio.gather(*(asyncio.to_thread(module.platform_key, settings) for _ in range(20)))
    assert len(set(keys)) == 1


def test_a_key_that_others_can_read_is_refused(settings: Settings) -> None:
    module.platform_key(settings)
    (settings.data_dir / "secret").chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        module.platform_key(settings)


def test_an_emptied_key_is_refused(settings: Settings) -> None:
    module.platform_key(settings)
    (settings.data_dir / "secret").write_text("")
    with pytest.raises(Misconfigured, match="damaged"):
        module.platform_key(settings)
