"""`python main.py backup FILE`: copies everything of a platform on one machine into one archive, while it runs.

The order makes the copy consistent: first the database, as it was at one instant (SQLite's backup API), then the homes.
So a session's log in a home may be ahead of the database but never behind it, and the runner sends the missing events
again. A file that grows meanwhile is copied as it is when its turn comes; its reader cuts off a torn last line.
"""

import os
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, StoreUnavailable
from core.domain.records import now
from core.operations.archive import ArchiveSummary, Packer
from core.operations.unarchive import verify
from core.store.factory import DATABASE
from core.store.schema import STEPS

FORM = 1  # version of the archive's format; a program can read its own and all earlier ones
MANIFEST = "manifest.json"
BESIDE = ("restoring-", "replaced-")  # folders that core.operations.restore creates in the data directory
DISKS_OWN = "lost+found"  # of ext4: every volume has it at its root, also an empty one
BUSY_S = 10.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The first entry of an archive. `database` is its schema version (core.store.schema), `rows` the number of rows by
    table.
    """

    form: int = FORM
    database: int
    rows: dict[str, int]
    made_at: datetime


def backup(settings: Settings, file: Path, *, force: bool = False) -> tuple[Manifest, ArchiveSummary]:
    """Write the archive and read it again. Afterwards it is complete and readable, or it does not exist.

    Raises: Misconfigured: the file exists, or there is nothing to back up. StoreUnavailable: it failed.
    """
    if settings.store != "sqlite":
        raise Misconfigured(
            "backup copies the embedded store; Firestore has backups of its own (see docs/operating.md)"
        )
    if file.exists() and not force:
        raise Misconfigured(f"{file} is there already: name another file, or say --force")
    database = settings.data_dir / DATABASE
    if not database.is_file():
        raise Misconfigured(f"there is nothing to back up in {settings.data_dir}")
    try:
        with tempfile.TemporaryDirectory(dir=file.absolute().parent, prefix=".backup-") as folder:
            draft = Path(folder, file.name)
            manifest = snapshot(database, Path(folder, DATABASE))
            taken = _write(draft, manifest, settings.data_dir)
            with tarfile.open(draft, "r:gz") as archive:
                verify(archive, taken)
            draft.replace(file)
    except (OSError, tarfile.TarError, EOFError, zlib.error, BadInput) as error:
        raise StoreUnavailable(f"the backup was not made: {error}") from error
    return manifest, taken


def snapshot(database: Path, copy: Path) -> Manifest:
    """Copy the database as it is at this instant, while others use it. Raises: StoreUnavailable, Misconfigured."""
    try:
        with closing(sqlite3.connect(database, timeout=BUSY_S)) as live, closing(sqlite3.connect(copy)) as still:
            live.backup(still)  # in one step; a reader does not block writers
            still.execute("PRAGMA journal_mode = DELETE")
        return examined(copy)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database {database} cannot be copied: {error}") from error


def examined(database: Path) -> Manifest:
    """Check a database that no process uses, and describe it. Raises: StoreUnavailable: it is damaged. Misconfigured: a
    newer program wrote it.
    """
    try:
        with closing(sqlite3.connect(database)) as db:
            form = known_form(db)
            [(sound,)] = db.execute("PRAGMA quick_check(1)").fetchall()
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            mine = [name for name in tables if not name.startswith("sqlite_")]
            rows = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in mine}  # noqa: S608  # ours
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the database is damaged: {error}") from error
    if sound != "ok":
        raise StoreUnavailable(f"the database is damaged: {sound}")
    return Manifest(database=form, rows=rows, made_at=now())


def known_form(db: sqlite3.Connection) -> int:
    """Return the database's schema version. Raises: Misconfigured: a newer program wrote it."""
    [(form,)] = db.execute("PRAGMA user_version").fetchall()
    if form > len(STEPS):
        raise Misconfigured(
            f"the database has schema version {form}, and this program knows only {len(STEPS)}: use the newer program"
        )
    return int(form)


def _write(draft: Path, manifest: Manifest, data_dir: Path) -> ArchiveSummary:
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1, format=tarfile.PAX_FORMAT) as archive:
            packer = Packer(archive)
            packer.add_bytes(MANIFEST, msgspec.json.encode(manifest))
            _add_all(packer, draft.parent, [DATABASE])
            _add_all(
                packer, data_dir, [name for name in sorted(os.listdir(data_dir)) if _belongs(name, data_dir, draft)]
            )
        out.flush()
        os.fsync(out.fileno())
    return packer.taken


def _add_all(packer: Packer, folder: Path, names: list[str]) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            packer.add(name, folder=fd)
    finally:
        os.close(fd)


def _belongs(name: str, data_dir: Path, draft: Path) -> bool:
    """True unless it is the live database, a log, or another archive that happens to lie there."""
    if name.startswith((DATABASE, ".backup-", *BESIDE)) or name in ("logs", DISKS_OWN, draft.name):
        return False
    return True
