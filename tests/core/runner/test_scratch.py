"""Copies of an agent's folder for tests: whole, bounded, and gone when they are not needed."""

import os
from pathlib import Path

import pytest

from core.domain.errors import NoSpace, NotFound
from core.runner import scratch


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "agents" / "a1" / "sub"
    folder.mkdir(parents=True)
    (folder.parent / "CLAUDE.md").write_text("rules")
    (folder / "data.txt").write_text("data")
    (folder / "link").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe")
    return tmp_path


def test_a_copy_has_the_files_and_links_and_the_agents_folder_stays_as_it_is(home: Path) -> None:
    scratch.copy_folder(home, "a1", "c1")
    copy = home / "agents" / "c1"
    assert (copy / "sub" / "data.txt").read_text() == "data" and (copy / "sub" / "link").is_symlink()
    assert not (copy / "sub" / "pipe").exists(), "to read it would wait for ever"
    (copy / "CLAUDE.md").write_text("changed by the test")
    scratch.copy_folder(home, "a1", "c1")
    assert (copy / "CLAUDE.md").read_text() == "changed by the test", "the same call again changes nothing"
    assert (home / "agents" / "a1" / "CLAUDE.md").read_text() == "rules"
    scratch.remove_copy(home, "c1")
    scratch.remove_copy(home, "c1")
    assert [path.name for path in (home / "agents").iterdir()] == ["a1"]


def test_a_runner_that_starts_removes_the_copies_that_are_left_and_nothing_else(home: Path) -> None:
    scratch.remove_copies(home)
    scratch.copy_folder(home, "a1", "c1")
    (home / "agents" / "c2.part").mkdir()
    (home / ".oma" / "scratch" / "c2").touch()
    scratch.remove_copies(home)
    assert [path.name for path in (home / "agents").iterdir()] == ["a1"]


def test_a_folder_that_is_too_large_is_not_copied(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "ENTRIES", 3)
    with pytest.raises(NoSpace):
        scratch.copy_folder(home, "a1", "c1")
    monkeypatch.setattr(scratch, "ENTRIES", 10)
    monkeypatch.setattr(scratch, "BYTES", 5)
    with pytest.raises(NoSpace):
        scratch.copy_folder(home, "a1", "c1")
    with pytest.raises(NotFound):
        scratch.copy_folder(home, "none", "c1")
    assert [path.name for path in (home / "agents").iterdir()] == ["a1"]
