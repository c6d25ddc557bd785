"""A key is found wherever it was committed or is about to be, and the finding does not show it."""

import subprocess
from pathlib import Path

import pytest

from security.find_secrets import main

KEY = "sk-ant-" + "api03-" + "aB3dE" * 12  # put together here, or this file would be a finding
PEM = "-----BEGIN " + "PRIVATE KEY-----\n" + ("aB3d" * 16 + "\n") * 4 + "-----END " + "PRIVATE KEY-----\n"


def git(repository: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.test", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=repository, check=True, capture_output=True, timeout=60)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "kept.py").write_text("KEY = 'sk-ant-canary-0123456789abcdef'\nPEM = '-----BEGIN PRIVATE KEY-----'\n")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text(KEY)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_what_says_that_it_is_made_up_is_none(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(repository) == 0
    assert "no secrets" in capsys.readouterr().out


@pytest.mark.parametrize("secret", [KEY, PEM], ids=["key", "private key"])
def test_a_file_that_is_not_committed_yet_is_looked_into(
    repository: Path, capsys: pytest.CaptureFixture[str], secret: str
) -> None:
    (repository / "new.txt").write_text(f"one line\nkey: {secret}\n")
    assert main(repository) == 1
    said = capsys.readouterr().out
    assert "new.txt:2: " in said
    assert secret[:20] not in said


def test_what_a_later_commit_took_away_is_found_in_the_earlier_one(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "kept.py").write_text(f"KEY = '{KEY}'\n")
    git(repository, "commit", "-am", "oops")
    git(repository, "rm", "kept.py")
    git(repository, "commit", "-m", "nobody saw it")
    assert main(repository) == 1
    assert capsys.readouterr().out.startswith("commit ")
