"""Tests of the scripts behind `make`: a second run does nothing, and a missing tool is named in one sentence."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-uv.lock")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The parts of a fresh clone that the script looks at."""
    for name in LOCKS:
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    return tmp_path


def environment(checkout: Path, *, python: str = "python3", what: str = "run") -> "subprocess.CompletedProcess[str]":
    command = [checkout / "scripts" / "environment", what]
    offline = {"PATH": os.environ["PATH"], "PYTHON": python, "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    return subprocess.run(command, env=offline, capture_output=True, text=True, timeout=60, check=False)


def made(checkout: Path, stamp: str) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
    (checkout / ".venv" / "bin" / "python").touch(mode=0o755)
    key = subprocess.run(
        ["cksum"], input=b"".join((checkout / name).read_bytes() for name in LOCKS), capture_output=True
    )
    (checkout / ".venv" / f".{stamp}").write_bytes(key.stdout)


@pytest.mark.parametrize(("stamp", "what"), [("run", "run"), ("dev", "dev"), ("dev", "run")])
def test_what_has_been_made_for_these_locks_is_not_made_again(checkout: Path, stamp: str, what: str) -> None:
    made(checkout, stamp)
    done = environment(checkout, python="no-python-is-needed", what=what)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_lock_or_a_wider_purpose_makes_it_again(checkout: Path) -> None:
    made(checkout, "run")
    assert environment(checkout, python="nothing", what="dev").returncode == 1
    with (checkout / "requirements.lock").open("a") as lock:
        lock.write("\n")
    assert environment(checkout, python="nothing").returncode == 1


def test_a_missing_python_is_one_sentence(checkout: Path) -> None:
    done = environment(checkout, python="no-such-python")
    assert done.returncode == 1
    assert done.stderr.startswith("Oh My Agent needs Python 3.11 or newer")
    assert done.stdout == ""


def test_an_old_python_is_one_sentence_with_its_version(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.2 && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = environment(checkout, python=str(old))
    assert done.returncode == 1
    assert "3.9.2" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(("offered", "installed"), [("", ""), ("1.0", "fonts-x emulator"), ("(none)", "fonts-x")])
def test_what_no_package_source_offers_keeps_nothing_else_from_being_installed(
    tmp_path: Path, offered: str, installed: str
) -> None:
    said = f"echo '  Candidate: {offered}'" if offered else "true"
    for name, line in (("id", "echo 0"), ("apt-cache", said), ("apt-get", f'echo "$@" >> {tmp_path}/called')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    pairs = ["?/no/such/jar:emulator", "?sh:shell", *(["/no/such/font:fonts-x"] if installed else [])]
    command = [ROOT / "scripts" / "system-packages", *pairs]
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    calls = (tmp_path / "called").read_text().splitlines()
    assert [line for line in calls if line.startswith("install")] == (
        [f"install --yes --quiet --quiet --no-install-recommends {installed}"] if installed else []
    )
    assert ("No package source here has emulator" in done.stderr) == (offered != "1.0")


def test_a_missing_system_package_is_named_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")  # an ordinary user
    (tmp_path / "id").chmod(0o755)
    command = [ROOT / "scripts" / "system-packages", "sh:shell", "/no/such/font:fonts-x", "no-such-command:package-y"]
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("sudo apt-get install fonts-x package-y")
