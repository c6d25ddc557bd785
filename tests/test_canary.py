"""The search for the platform's key finds it wherever it could be, and what it finds fails the suite."""

import base64
import gzip
import os
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.canary import KEY, leaks
from tests.product import LeftBehind, Product

ROOT = Path(__file__).resolve().parents[1]


def zipped(path: Path) -> None:
    inner = path.with_suffix(".inner")
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("agents/a1/.env", f"KEY={KEY}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inner.zip")
    inner.unlink()


def in_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE event (body TEXT)")
        # longer than a page, so that no page holds all of the key
        database.execute("INSERT INTO event VALUES (?)", ("-" * 4_040 + KEY + "-" * 9_000,))
    database.close()


PLANTED: dict[str, Callable[[Path], object]] = {
    "raw": lambda path: path.write_text(f"key: {KEY}\n"),
    "in a URL": lambda path: path.write_text(f"https://x.test/?key={quote(KEY, safe='')}"),
    "in base64": lambda path: path.write_bytes(base64.b64encode(KEY.encode())),
    "in base64 behind one": lambda path: path.write_bytes(base64.b64encode(b":" + KEY.encode() + b"\n")),
    "in base64 behind two": lambda path: path.write_bytes(base64.urlsafe_b64encode(b"u:" + KEY.encode() + b"\n")),
    "in JSON": lambda path: path.write_text(KEY.replace("/", "\\/")),
    "in hex": lambda path: path.write_text(KEY.encode().hex()),
    "without its end": lambda path: path.write_text(KEY[:-5]),
    "in an archive in an archive": zipped,
    "compressed": lambda path: path.write_bytes(gzip.compress(KEY.encode())),
    "in a database": in_database,
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder outside of all tests' folders: a key planted here must not fail the suite, however the test ends."""
    with tempfile.TemporaryDirectory(prefix="oma-planted-") as path:
        yield Path(path)


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_key_is_found(folder: Path, plant: Callable[[Path], object]) -> None:
    deep = folder / "homes" / "u1"
    deep.mkdir(parents=True)
    (deep / "other").write_text("sk-ant-canary is not the key, and neither is " + KEY[:20])
    assert leaks(folder) == []
    plant(deep / "file")
    found = leaks(folder)
    assert found
    assert all(str(deep / "file") in one for one in found)


def test_a_product_that_wrote_the_key_does_not_end_clean(folder: Path) -> None:
    product = Product(folder / "product")
    (product.data_dir / "logs").mkdir(parents=True)
    product.look_for_the_key()
    (product.data_dir / "logs" / "gateway.log").write_text(f"asking with {KEY}\n")
    with pytest.raises(LeftBehind, match=r"gateway\.log: as it is"):
        product.look_for_the_key()


# what pytest would load besides and this needs not: a second of each run; the first is what scripts/tests does need
UNUSED = [
    word
    for name in ("cacheprovider", "asyncio", "hypothesispytest", "anyio", "playwright")
    for word in ("-p", f"no:{name}")
]
SUITE = """
from tests.canary import KEY

def test_that_passes_and_leaves_something_behind(tmp_path):
    (tmp_path / "left").write_text({what})
"""


@pytest.mark.parametrize(("what", "workers", "status"), [("KEY", ("-n", "1"), 8), ("KEY", (), 8), ("'nothing'", (), 0)])
def test_a_suite_that_left_the_key_anywhere_is_red(
    folder: Path, what: str, workers: tuple[str, ...], status: int
) -> None:
    (folder / "test_inner.py").write_text(SUITE.format(what=what))
    (folder / "conftest.py").write_text("from tests.canary import pytest_sessionfinish, pytest_terminal_summary\n")
    command = [sys.executable, "-m", "pytest", "-q", *workers, *UNUSED]
    done = subprocess.run(
        [*command, "--basetemp", folder / "base", folder],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("left: as it is" in done.stdout) == bool(status)
    assert "1 passed" in done.stdout


CUT_OFF = """
from pathlib import Path
from tests.canary import KEY

def test_that_is_cut_off_the_first_time(tmp_path):
    (tmp_path / "typed").write_text({what})
    first = not Path("seen").exists()
    Path("seen").touch()
    assert not first, "took too long"
    (tmp_path / "typed").unlink()

def test_that_passes(tmp_path):
    (tmp_path / "left").write_text({besides})
"""
HOOKS = """
import pytest
from tests.canary import name_folders, pytest_sessionfinish, pytest_terminal_summary

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    name_folders(item, report)
    return report
"""


@pytest.mark.parametrize(
    ("what", "besides", "status"),
    [("KEY", "'nothing'", 0), ("'nothing'", "'nothing'", 0), ("'nothing'", "KEY", 8), ("KEY", "KEY", 8)],
    ids=["a cut-off test typed it", "no key", "a leak beside a failure", "both"],
)
def test_a_test_that_was_cut_off_is_run_again_unless_the_key_leaked(
    folder: Path, what: str, besides: str, status: int
) -> None:
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "test_inner.py").write_text(CUT_OFF.format(what=what, besides=besides))
    (folder / "conftest.py").write_text(HOOKS)
    done = subprocess.run(
        [ROOT / "scripts" / "tests", "1", "-q", *UNUSED[2:]],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "TMPDIR": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert ("once more, alone" in done.stdout) == (status == 0)
