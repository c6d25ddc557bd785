"""SECURITY.md names a command for every bar: each of them exists, and what it runs is there."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
UNMEASURED = "not measured yet"  # a row whose bar is still being built; its command may be missing


def rows() -> list[tuple[str, str, str]]:
    """Bar, figure and command of the last table."""
    table = TEXT.partition("| bar | last figure | command |")[2]
    found = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in table.splitlines() if "|" in line]
    return [row for row in found if len(row) == 3 and not set(row[0]) <= set("-")]  # type: ignore[misc]


def commands() -> list[str]:
    return [command for _, figure, cell in rows() if figure != UNMEASURED for command in re.findall(r"`([^`]+)`", cell)]


@cache
def markers() -> set[str]:
    """Return the markers that are declared and used by at least one test."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared = {line.partition(":")[0] for line in project["tool"]["pytest"]["ini_options"].get("markers", [])}
    used = {name for path in (ROOT / "tests").rglob("*.py") for name in re.findall(r"mark\.(\w+)", path.read_text())}
    return declared & used


def test_every_bar_has_a_figure_and_a_command() -> None:
    assert len(rows()) >= 19
    assert [row for row in rows() if not (row[1] and re.fullmatch(r"`[^`]+`(, `[^`]+`)*", row[2]))] == []


@pytest.mark.parametrize("command", commands())
def test_a_named_command_exists(command: str) -> None:
    program, *words = command.split()
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert words[0] in targets
        return
    assert program == "pytest"
    if words[0] == "-m":
        assert words[1] in markers()
    else:
        assert [path for path in words if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("path", re.findall(r"`((?:core|auth|ui|tests)/[\w/]+\.py)`", TEXT))
def test_a_named_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()
