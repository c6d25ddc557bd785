"""How the embedded database's file is opened, checked and brought to the present form."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import aiosqlite

from core.domain.errors import Misconfigured, StoreUnavailable

BUSY_S = 10.0  # web and gateway write to the same file: how long one waits for the other
WAL_RETRY_S = 0.05  # SQLite does not wait by itself while another process changes the journal mode
MIN_FREE_BYTES = 64 * 2**20  # opening a WAL database on a full disk kills the process with SIGBUS
COMPACT_BYTES = 256 * 2**20  # written anew in one to two seconds
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# Each step is run once, in order, inside one transaction; `PRAGMA user_version` counts them. Never edit one that was
# released: add another. The expressions in the indexes must be letter for letter those that core.store.query makes.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE records (kind TEXT NOT NULL, owner TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
           PRIMARY KEY (kind, owner, id)) WITHOUT ROWID""",
        """CREATE INDEX records_newest ON records
           (kind, owner, rtrim(json_extract(body, '$.updated_at'), 'Z'), id)""",
        """CREATE INDEX records_of_agent ON records
           (kind, owner, json_extract(body, '$.agent'), rtrim(json_extract(body, '$.updated_at'), 'Z'), id)""",
        "CREATE INDEX records_of_user ON records (kind, owner, json_extract(body, '$.user'), id)",
        """CREATE TABLE events (owner TEXT NOT NULL, session TEXT NOT NULL, seq INTEGER NOT NULL, at TEXT NOT NULL,
           body TEXT NOT NULL, UNIQUE (owner, session, seq))""",
        "CREATE TABLE claims (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
        """CREATE TABLE usage (owner TEXT NOT NULL, key TEXT NOT NULL, counter TEXT NOT NULL, amount REAL NOT NULL,
           PRIMARY KEY (owner, key, counter)) WITHOUT ROWID""",
    ),
    (
        "CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
        """CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
           BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
        """CREATE TRIGGER audit_kept BEFORE DELETE ON audit
           BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END""",
    ),
    (
        """CREATE INDEX runs_newest ON records (owner, rtrim(json_extract(body, '$.at'), 'Z'), id)
           WHERE kind = 'run'""",
        """CREATE INDEX runs_of_agent ON records
           (owner, json_extract(body, '$.agent'), rtrim(json_extract(body, '$.at'), 'Z'), id) WHERE kind = 'run'""",
        """CREATE INDEX runs_of_trigger ON records
           (owner, json_extract(body, '$.trigger'), rtrim(json_extract(body, '$.at'), 'Z'), id) WHERE kind = 'run'""",
        """CREATE INDEX slots_due ON records (owner, rtrim(json_extract(body, '$.due_at'), 'Z'), id)
           WHERE kind = 'dueslot'""",
    ),
    (
        """CREATE INDEX runs_in_state ON records
           (owner, ifnull(json_extract(body, '$.state'), 'queued'), rtrim(json_extract(body, '$.at'), 'Z'), id)
           WHERE kind = 'run'""",
        """CREATE INDEX runs_of_agent_in_state ON records
           (owner, json_extract(body, '$.agent'), ifnull(json_extract(body, '$.state'), 'queued'),
           rtrim(json_extract(body, '$.at'), 'Z'), id) WHERE kind = 'run'""",
        """CREATE INDEX runs_of_trigger_in_state ON records
           (owner, json_extract(body, '$.trigger'), ifnull(json_extract(body, '$.state'), 'queued'),
           rtrim(json_extract(body, '$.at'), 'Z'), id) WHERE kind = 'run'""",
    ),
)


async def connect(path: Path) -> aiosqlite.Connection:
    """A connection as we want every one of them: durable, patient, without implicit transactions."""
    db = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_S)
    try:
        await _write_ahead(db)
        # FULL: what was acknowledged is on the disk, also after a power cut
        await db.execute("PRAGMA synchronous = FULL")
        await db.execute("PRAGMA journal_size_limit = 67108864")
        await db.execute("PRAGMA secure_delete = ON")  # what is deleted is not left readable in the file
    except BaseException:
        await db.close()
        raise
    return db


async def compact(db: aiosqlite.Connection) -> None:
    """Leave nothing readable of what was deleted, in the database file or in the log beside it.

    `secure_delete` alone forgets the space between the rows of a page that was put together anew. In a database of
    more than COMPACT_BYTES such traces stay, as to write it anew would make everybody wait.
    """
    [(pages,)] = await db.execute_fetchall("PRAGMA page_count")
    [(page_bytes,)] = await db.execute_fetchall("PRAGMA page_size")
    if pages * page_bytes <= COMPACT_BYTES:
        with contextlib.suppress(sqlite3.OperationalError):  # busy or no room: it was deleted all the same
            await db.execute("VACUUM")
    await db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _write_ahead(db: aiosqlite.Connection) -> None:
    async with asyncio.timeout(BUSY_S):
        while True:
            try:
                await db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
                await asyncio.sleep(WAL_RETRY_S)
            else:
                return


async def migrate(db: aiosqlite.Connection) -> None:
    """Run the steps this file has not seen.

    Raises: Misconfigured: a newer program than this one wrote the file.
    """
    try:
        await db.execute("BEGIN IMMEDIATE")  # two processes may start at once: the second finds the work done
        [(version,)] = await db.execute_fetchall("PRAGMA user_version")
        if version > len(STEPS):
            raise Misconfigured(
                f"the database is of form {version}, and this program knows only {len(STEPS)}: "
                "start the newer program, or restore a backup made with this one"
            )
        for step in STEPS[version:]:
            for statement in step:
                await db.execute(statement)
        await db.execute(f"PRAGMA user_version = {len(STEPS)}")
    except BaseException:
        await db.rollback()
        raise
    await db.commit()


def prepare(path: Path, *, min_free_bytes: int = MIN_FREE_BYTES) -> None:
    """The folder and the file, for our eyes only, on a disk with room.

    Raises: StoreUnavailable: no room, or no right to write there.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if free < min_free_bytes:
            raise StoreUnavailable(
                f"only {free >> 20} MiB are free where the database lies ({path.parent}); "
                f"it needs {min_free_bytes >> 20} MiB: free some space and start again"
            )
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the database {path} cannot be opened: {error.strerror}") from error


def explain(error: Exception, path: Path) -> StoreUnavailable:
    """What SQLite said, as a sentence with a next step."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in DAMAGED:
        return StoreUnavailable(
            f"the database {path} is damaged: stop the platform, move the file away and bring back a copy with "
            "`python main.py restore FILE` (copies are made by `python main.py backup FILE`)"
        )
    return StoreUnavailable(f"the database did not do it: {error}")
