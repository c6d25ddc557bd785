"""The platform's key as tests know it, and the search for it in all that the platform has written.

No box, log, database, transcript or export may ever hold it. Each `Product` looks into its own folders when it ends,
and when the whole suite has ended everything that any test left is looked through once more. A key in the folder of a
test that failed is no alarm yet: a test that was cut off may have left what it plants. scripts/tests runs it again.
The spellings are written here once more, apart from core/observability/redaction.py, which they watch.
"""

import io
import os
import sqlite3
import zipfile
import zlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

# Looks like one, is spelled differently in a URL and in JSON, and means nothing to a shell.
KEY = "sk-ant-canary-0123456789abcdef/+=-ABCDEF"
LEAKS = pytest.StashKey[list[str]]()
REAL = pytest.StashKey[bool]()  # whether one of them is outside the folders of failed tests
FOLDER = "folder"  # the property of a failed test's report that names a folder it wrote to
LEFT_BEHIND = 8  # the exit status; pytest itself has 0 to 5
GZIP = 16 + zlib.MAX_WBITS
PIECE_BYTES, OVERLAP_BYTES = 64 * 2**20, 1024
INSIDE_BYTES = 64 * 2**20  # of one member of an archive


def leaks(root: Path) -> list[str]:
    """Return the places below `root` that contain the key, with its spelling."""
    return [f"{path}{found}" for path in _files(root) for found in _in_file(path)]


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _in_file(path: Path) -> Iterator[str]:
    # gone meanwhile, or a box's own
    with suppress(OSError):
        for piece in _pieces(path):
            yield from _in_bytes(piece)
            if piece.startswith(b"SQLite format 3\0"):
                yield from _in_database(path)


def _pieces(path: Path) -> Iterator[bytes]:
    """A file as a whole if it is small; else what overlaps, without the holes: tests make files of a terabyte."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size <= PIECE_BYTES:
            yield file.read()
            return
        at = 0
        with suppress(OSError):  # ENXIO: from here on there is nothing but a hole
            while True:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
                file.seek(at)
                yield (piece := file.read(PIECE_BYTES))
                if len(piece) < PIECE_BYTES:
                    return
                at += PIECE_BYTES - OVERLAP_BYTES


def _in_bytes(data: bytes, where: str = "") -> Iterator[str]:
    yield from (f"{where}: {how}" for needle, how in SPELLINGS.items() if needle in data)
    if data.startswith(b"PK\x03\x04") and zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                with archive.open(name) as member:
                    yield from _in_bytes(member.read(INSIDE_BYTES), f"{where}!{name}")
    elif data.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):  # a broken one has been read as it is, and a cut one is read as far as it goes
            yield from _in_bytes(zlib.decompressobj(GZIP).decompress(data, INSIDE_BYTES), f"{where}!gzip")


def _in_database(path: Path) -> Iterator[str]:
    """Value by value: a long one is spread over pages, and the newest ones are in the log beside the file."""
    # a broken one has been read as it is
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        database.text_factory = bytes
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table.decode()}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield from _in_bytes(value, f"#{table.decode()}")


def _spellings() -> Iterator[tuple[bytes, str]]:
    raw = KEY.encode()
    yield raw, "as it is"
    yield KEY[:-7].encode(), "all but its end"
    yield quote(KEY, safe="").encode(), "in a URL"
    yield quote_plus(KEY).encode(), "in a form"
    yield quote(KEY).encode(), "in a path"
    yield KEY.replace("/", "\\/").encode(), "in JSON"
    yield raw.hex().encode(), "in hex"
    for shift in range(3):
        for encode, what in ((b64encode, "in base64"), (urlsafe_b64encode, "in base64 for URLs")):
            yield encode(bytes(shift) + raw)[4:-4], f"{what}, shifted by {shift}"


SPELLINGS = dict(_spellings())


def name_folders(item: pytest.Item, report: pytest.TestReport) -> None:
    """Write into the report of a test that failed before its end where it and its products wrote."""
    if report.failed and report.when != "teardown":
        for value in getattr(item, "funcargs", {}).values():
            root = value if isinstance(value, Path) else getattr(getattr(value, "product", value), "root", None)
            if isinstance(root, Path):
                report.user_properties.append((FOLDER, str(root)))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """All that is left of all tests is looked through. Under pytest-xdist once, when every worker has ended."""
    base = getattr(session.config, "_tmp_path_factory", None)
    folder = getattr(base, "_basetemp", None)
    if folder is None or hasattr(session.config, "workerinput"):
        return
    session.config.stash[LEAKS] = leaks(folder)
    cut_off = _folders_of_failed_tests(session.config)
    session.config.stash[REAL] = any(not line.startswith(cut_off) for line in session.config.stash[LEAKS])
    if session.config.stash[REAL]:
        session.exitstatus = LEFT_BEHIND  # no test of its own: scripts/tests must not look at others again instead


def _folders_of_failed_tests(config: pytest.Config) -> tuple[str, ...]:
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    reports = [report for kind in ("failed", "error") for report in reporter.stats.get(kind, [])]
    found = {value for report in reports for name, value in getattr(report, "user_properties", []) if name == FOLDER}
    return tuple(f"{value}/" for value in sorted(found))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Says where the key was found."""
    if found := config.stash.get(LEAKS, []):
        real = config.stash[REAL]
        title = "the platform's key was left behind" if real else "the platform's key, only where a test failed"
        terminalreporter.section(title, red=real)
        for line in found[:50]:
            terminalreporter.line(line)
