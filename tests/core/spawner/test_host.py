"""Tests of the examination of a machine: its Python and CLI, and the remedy if boxes do not work."""

import os
import sys
from pathlib import Path

import pytest

from core.config.settings import Settings
from core.domain.errors import Misconfigured
from core.spawner import host
from core.spawner.cgroup import CONTROLLERS
from core.spawner.isolation_report import FLOOR, NAMES, WHYS
from core.spawner.probe import choose, describe


def test_the_interpreter_is_the_real_one_and_its_packages_come_along() -> None:
    found = host.inspect_host()
    assert found.python.is_file()
    assert not found.python.is_symlink()
    assert found.venv == Path(sys.prefix)
    assert found.inside(host.claude_cli()).startswith("/opt/venv/lib/")
    assert os.access(host.claude_cli(), os.X_OK)


def test_without_bubblewrap_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "apt-get"
    tool.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host.fix_hint("").endswith("apt-get install bubblewrap")


def test_a_bubblewrap_that_fails_for_another_reason_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host, "SWITCHES", ())
    assert "(bwrap: no luck)" in host.fix_hint("first line\nbwrap: no luck\n")
    assert "(no answer)" in host.fix_hint("")


def test_a_kernel_that_forbids_it_is_named_with_its_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bwrap").touch(mode=0o755)
    (tmp_path / "switch").write_text("0\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host, "SWITCHES", ((str(tmp_path / "switch"), "0", "sysctl -w the.switch=1"),))
    assert host.fix_hint("anything").endswith("sysctl -w the.switch=1")


@pytest.mark.parametrize(
    ("sandbox", "env", "trouble", "chosen"),
    [
        ("auto", "local", "", "bubblewrap"),
        ("auto", "local", "broken", "none"),
        ("auto", "production", "", "bubblewrap"),
        ("auto", "production", "broken", None),
        ("bubblewrap", "local", "", "bubblewrap"),
        ("bubblewrap", "local", "broken", None),
        ("none", "local", "", "none"),
    ],
)
def test_a_box_is_done_without_only_where_that_is_allowed(
    sandbox: str, env: str, trouble: str, chosen: str | None
) -> None:
    settings = Settings(sandbox=sandbox, env=env)  # type: ignore[arg-type]
    if chosen is None:
        with pytest.raises(Misconfigured, match=trouble):
            choose(settings, trouble)
    else:
        assert choose(settings, trouble) == chosen


@pytest.mark.parametrize("shared", ["", "shared", "no_owners", "closed"])
def test_whether_users_have_ids_of_their_own_is_told(shared: str) -> None:
    wall = next(wall for wall in describe(Settings(), "", shared=shared).layers if wall.number == "L2")
    assert (wall.live, wall.why) == (not shared, shared)
    assert not shared or shared in WHYS


def test_what_stands_and_what_is_missing_is_told() -> None:
    assert describe(Settings(), "").missing == ()
    assert describe(Settings(), "broken").missing == ("broken",)
    assert describe(Settings(sandbox="none"), "").command == "unset OMA_SANDBOX"
    assert "OMA_SANDBOX=none" in describe(Settings(sandbox="none"), "").missing[0]


@pytest.mark.parametrize(
    ("settings", "trouble", "controllers", "absent"),
    [
        ({}, "", CONTROLLERS, {"uid": "shared", "fallback": "not_needed"}),
        ({}, "", ("memory", "pids"), {"uid": "shared", "fallback": "not_needed", "limits": "no_cgroups"}),
        ({"box_pids": 0}, "", CONTROLLERS, {"uid": "shared", "fallback": "not_needed", "limits": "unbounded"}),
        ({"box_files": 0}, "", CONTROLLERS, {"uid": "shared", "fallback": "not_needed", "disk": "unbounded"}),
        ({"sandbox": "none"}, "", CONTROLLERS,
         {"namespaces": "switched_off", "uid": "shared", "fallback": "no_landlock", "egress": "no_box"}),
    ],
    ids=["whole", "no processor group", "no bound", "no bound of files", "no box"],
)  # fmt: skip
def test_each_wall_is_told_with_why_it_is_not_there(
    settings: dict[str, object], trouble: str, controllers: tuple[str, ...], absent: dict[str, str]
) -> None:
    walls = describe(Settings(**settings), trouble, controllers).layers  # type: ignore[arg-type]
    assert [wall.number for wall in walls] == [f"L{number}" for number in range(len(walls))]
    assert {wall.id: wall.why for wall in walls if not wall.live} == absent
    assert {wall.id for wall in walls} == set(NAMES) >= set(FLOOR)
    assert all(wall.mend for wall in walls if wall.why in ("no_cgroups", "switched_off"))
    assert {why for why in absent.values() if why != "switched_off"} <= set(WHYS)
