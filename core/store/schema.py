"""Opens the file of the embedded database, checks it and migrates it to the present schema."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import aiosqlite

from core.domain.errors import Misconfigured, StoreUnavailable
from core.store import sqlite_search as search

BUSY_S = 10.0  # web and gateway write to the same file; one waits this long for the other
WAL_RETRY_S = 0.05  # SQLite does not wait by itself while another process changes the journal mode
MIN_FREE_BYTES = 64 * 2**20  # opening a WAL database on a full disk kills the process with SIGBUS
COMPACT_BYTES = 256 * 2**20  # rewriting this takes one to two seconds
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

# Each step runs once, in order, inside one transaction; `PRAGMA user_version` counts them. Never edit a step that was
# released: add another one. The expressions of the indexes must equal those of core.store.query letter for letter.
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
    search.TABLES,
)


async def connect(path: Path) -> aiosqlite.Connection:
    """Open a connection: durable, without implicit transactions, waiting up to BUSY_S for a lock."""
    db = await aiosqlite.connect(path, isolation_level=None, timeout=BUSY_S)
    try:
        await _write_ahead(db)
        # FULL: acknowledged writes survive a power cut
        await db.execute("PRAGMA synchronous = FULL")
        await db.execute("PRAGMA journal_size_limit = 67108864")
        await search.prepare(db)
        await db.execute("PRAGMA secure_delete = ON")  # deleted data cannot be read in the file
    except BaseException:
        await db.close()
        raise
    return db


async def compact(db: aiosqlite.Connection) -> None:
    """Remove all readable traces of deleted data from the database file and the log beside it.

    `secure_delete` alone leaves the space between the rows of a reorganised page. In a database of more than
    COMPACT_BYTES such traces stay, because rewriting it would make every write wait.
    """
    [(pages,)] = await db.execute_fetchall("PRAGMA page_count")
    [(page_bytes,)] = await db.execute_fetchall("PRAGMA page_size")
    if pages * page_bytes <= COMPACT_BYTES:
        with contextlib.suppress(sqlite3.OperationalError):  # busy or no room: the rows are deleted all the same
            await db.execute(search.OPTIMIZE)  # an index keeps the terms of deleted rows until then
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
    """Run the steps that this file has not seen.

    Raises: Misconfigured: a newer program than this one wrote the file.
    """
    try:
        await db.execute("BEGIN IMMEDIATE")  # two processes may start at once: the second finds the work done
        [(version,)] = await db.execute_fetchall("PRAGMA user_version")
        if version > len(STEPS):
            raise Misconfigured(
                f"the database has schema version {version}, and this program knows only {len(STEPS)}: "
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
    """Create the folder and the file, readable for this user only, and check the free space.

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
    """Turn an error of SQLite into a sentence with a next step."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in DAMAGED:
        return StoreUnavailable(
            f"the database {path} is damaged: stop the platform, move the file away and bring back a copy with "
            "`python main.py restore FILE` (copies are made by `python main.py backup FILE`)"
        )
    return StoreUnavailable(f"the database failed: {error}")
