"""The documentation names only files, tests and names that exist."""

import re
import subprocess
from pathlib import Path

import pytest

from core.domain import unasked_commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
# A path of ours, as prose and comments write it.
PATH = re.compile(
    r"(?<![\w./:@<-])((?:core|auth|ui|web|tests|bench|docs|scripts|k8s|security)/[\w./-]*\w\.(?:py|js|css|md|toml|json|yml|yaml))(?![\w/])"
)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMED = re.compile(r"\(`([\w/.]+)`: `([^`]+)`\)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#([\w-]+))?\)")


def tracked() -> list[Path]:
    """Every text file of the repository that may name a path."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    kinds = {".py", ".js", ".css", ".md", ".yml", ".yaml", ".toml"}
    return [path for name in names if (path := ROOT / name).suffix in kinds and path.is_file()]


def test_no_text_refers_to_a_file_that_is_not_there() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {named}"
        for path in tracked()
        for named in PATH.findall(path.read_text("utf-8"))
        if not (ROOT / named).exists() and not (ROOT / "tests" / named).exists()
    ]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_the_documentation_lead_somewhere(page: Path) -> None:
    dead = []
    for target, section in LINK.findall(page.read_text("utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        found = page.parent / target
        if not found.exists() or (section and section not in headings(found)):
            dead.append(f"{target}#{section}")
    assert dead == []


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as the forges make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_each_test_that_a_guarantee_names_exists() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    named = TEST.findall(text)
    assert len(named) >= 20
    assert [f"{path}::{test}" for path, test in named if f"def {test}(" not in (ROOT / path).read_text("utf-8")] == []
    assert re.findall(r"^\| (G\d+) \|", text, re.MULTILINE) == [f"G{number}" for number in range(1, 11)]


def test_each_name_of_the_worked_examples_is_in_its_file() -> None:
    named = NAMED.findall((ROOT / "docs" / "development.md").read_text("utf-8"))
    assert len(named) >= 10
    assert [(path, name) for path, name in named if name not in (ROOT / path).read_text("utf-8")] == []


def test_a_guarantee_that_code_refers_to_is_one_of_the_table() -> None:
    known = {f"G{number}" for number in range(1, 11)}
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix == ".py"
        for name in re.findall(r"\((G\d+)\)", path.read_text("utf-8"))
        if name not in known
    }
    assert found == set()


def test_the_page_of_what_runs_without_asking_is_made_from_the_list_that_decides() -> None:
    assert (ROOT / "docs" / "permissions.md").read_text("utf-8") == unasked_commands.page()
