"""A copy of the sources in which guards are taken out, and the process that runs tests in it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from tests.guards.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("auth", "bench", "core", "k8s", "ui", "web", "tests", "scripts", "docs")
LIMIT_S = 90  # of one row's tests; the machine may be busy


class Red(msgspec.Struct, frozen=True):
    """A test that failed, and how."""

    phase: str  # setup, call or teardown
    error: str  # the exception's name
    file: str  # in which it was raised


class Outcome(msgspec.Struct, frozen=True):
    """The result of a run of tests. `code` is pytest's exit code, -1 if the run did not end in time."""

    code: int
    ran: int = 0
    skipped: str = ""
    red: tuple[Red, ...] = ()
    told: str = ""


class Tree:
    """The copy; `run` runs tests in it as it is now."""

    def __init__(self, root: Path, nursery: "subprocess.Popen[bytes]") -> None:
        self._root, self._nursery, self._runs = root, nursery, 0

    @contextmanager
    def without(self, guard: Guard) -> Iterator[None]:
        """The guard is off while the context is open. Raises: ValueError: as `Guard.off`."""
        path = self._root / guard.file
        broken = guard.off(path.read_text(encoding="utf-8"))
        kept = path.with_suffix(".kept")
        path.rename(kept)  # it keeps its time, so that its bytecode is believed again afterwards
        try:
            path.write_text(broken, encoding="utf-8")
            os.utime(path, (1, 1))  # and the broken one's time is nobody's: no bytecode of another one is taken for it
            yield
        finally:
            kept.replace(path)

    def run(self, tests: Sequence[str], *, limit_s: float = LIMIT_S, wait_s: float = 10) -> Outcome:
        """Run these and stop at the first that is red. `wait_s`: how long they wait for what ought to come."""
        self._runs += 1
        asked = {
            "tests": list(tests),
            "limit_s": limit_s,
            "wait_s": wait_s,
            "folder": str(self._root / f"t{self._runs}"),
        }
        to, back = self._pipes()
        to.write(json.dumps(asked).encode() + b"\n")
        to.flush()
        line = back.readline()
        assert line, "the process that runs the tests has died"
        return msgspec.json.decode(line, type=Outcome)

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._nursery.stdin
        assert self._nursery.stdout
        return self._nursery.stdin, self._nursery.stdout


@contextmanager
def planted() -> Iterator[Tree]:
    """A copy of this repository's sources; removed in the end."""
    root = Path(tempfile.mkdtemp(prefix="oma-g"))  # short: sockets are made below it
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    try:
        _copy(root)
        command = [sys.executable, "-m", "tests.guards.fork_server"]
        nursery = subprocess.Popen(command, cwd=root, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield Tree(root, nursery)
        finally:
            nursery.communicate()  # its input ends, and so does it
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _copy(root: Path) -> None:
    """Copy the tree with bytecode and times, so that nothing is compiled again for each row."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, root / name, symlinks=True)
    for path in ROOT.iterdir():
        if path.is_file() and not path.is_symlink():
            shutil.copy2(path, root / path.name)
