"""`python main.py restore FILE`: turns a backup into the data directory of a platform that does not run.

Everything is unpacked and examined beside the present data before anything is moved. The old data is kept in a folder
whose name is printed. Boxes in the backup belong to the machine of the backup: their processes are forgotten, so that
the platform ends their open turns and never mistakes a process of this machine for one of them.
"""

import shutil
import sqlite3
import tarfile
import tempfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from core.config.runtime_dir import Process, Runtime
from core.config.settings import Settings
from core.domain.errors import BadInput, Misconfigured, StoreUnavailable
from core.domain.records import now
from core.operations.archive import LeftOut
from core.operations.backup import BESIDE, DISKS_OWN, FORM, MANIFEST, Manifest, examined, known_form
from core.operations.unarchive import unpack
from core.store.factory import DATABASE

RUNNING = "the platform is running here: stop it first"
MANIFEST_BYTES = 2**20
FORGET_PROCESSES = "UPDATE records SET body = json_set(body, '$.memory', json('{}')) WHERE kind = 'box'"


class RestoreResult(NamedTuple):
    """The backup's manifest, the folder with the replaced data (None: there was none), and the entries left out."""

    manifest: Manifest
    kept: Path | None
    left_out: LeftOut


def restore(settings: Settings, file: Path, *, force: bool = False) -> RestoreResult:
    """Replace the present data with a backup. An entry of a home that cannot be created does not stop the others.

    Raises: Misconfigured: not allowed here; nothing was changed. BadInput: it is no backup. StoreUnavailable.
    """
    if settings.store != "sqlite":
        raise Misconfigured("restore fills the embedded store: unset OMA_STORE, restore, then `migrate --to firestore`")
    data_dir = settings.data_dir
    present = sorted(path for path in data_dir.iterdir() if _counts(path)) if data_dir.is_dir() else []
    if not file.is_file():
        raise BadInput(f"there is no file {file}")
    at_rest(settings)
    if present and not force:
        raise Misconfigured(f"{data_dir} is not empty: say --force to replace what is there (it is kept beside)")
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=BESIDE[0], ignore_cleanup_errors=True) as folder:
            staged = Path(folder)
            manifest, left_out = _stage(file, staged)
            return RestoreResult(manifest, _swap(staged, data_dir), left_out)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"{file} is no whole backup: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"it was not restored: {error}") from error


def _counts(path: Path) -> bool:
    return _ours(path) and not (path.name == "logs" and path.is_dir())


def _ours(path: Path) -> bool:
    return not path.name.startswith(BESIDE) and path.name != DISKS_OWN


def at_rest(settings: Settings) -> None:
    """Check that the platform does not run here. Raises: Misconfigured: it runs, or a newer program wrote
    its database.
    """
    database, gateway = settings.data_dir / DATABASE, Runtime(settings.runtime_dir).gateway_file
    try:
        process = Process.read(msgspec.json.decode(gateway.read_bytes(), type=dict[str, Any]))
    except (OSError, msgspec.MsgspecError):
        process = None
    if process and process.alive():
        raise Misconfigured(RUNNING)
    if not database.exists():
        return
    try:
        with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as db:
            known_form(db)
            db.execute("PRAGMA journal_mode = DELETE")  # refused while another process has it open
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreUnavailable(f"the database that is there cannot be looked at: {error}") from error
        raise Misconfigured(RUNNING) from error
    except sqlite3.DatabaseError:
        return  # damaged: the backup will replace it


def _stage(file: Path, staged: Path) -> tuple[Manifest, LeftOut]:
    """Unpack and examine a backup. Raises: BadInput: it is incomplete. Misconfigured: a newer program wrote it."""
    with tarfile.open(file, "r:gz") as archive:
        manifest = _manifest(archive)
        left_out = unpack(archive, staged)
    database = staged / DATABASE
    if not database.is_file() or database.is_symlink():
        raise BadInput(f"{file} has no database in it")
    if examined(database).rows != manifest.rows:
        raise BadInput(f"the database in {file} is not the one that was put there")
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute(FORGET_PROCESSES)
    database.chmod(0o600)
    return manifest, left_out


def _manifest(archive: tarfile.TarFile) -> Manifest:
    first = archive.next()
    content = archive.extractfile(first) if first and first.name == MANIFEST and first.isreg() else None
    try:
        manifest = msgspec.json.decode(content.read(MANIFEST_BYTES) if content else b"", type=Manifest)
    except msgspec.DecodeError as error:
        raise BadInput("that is no backup of this platform") from error
    if manifest.form > FORM:
        raise Misconfigured("the backup was made by a newer program: restore it with that one")
    return manifest


def _swap(staged: Path, data_dir: Path) -> Path | None:
    """Move the old data away and the new data in. The database comes last, so that a platform never starts
    with half.
    """
    old = sorted(path for path in data_dir.iterdir() if _ours(path))
    kept = data_dir / f"{BESIDE[1]}{now():%Y%m%dT%H%M%S%f}" if old else None
    if kept:
        kept.mkdir(mode=0o700)
        for path in sorted(old, key=lambda each: not each.name.startswith(DATABASE)):
            shutil.move(path, kept / path.name)
    for path in sorted(staged.iterdir(), key=lambda each: each.name == DATABASE):
        shutil.move(path, data_dir / path.name)
    return kept
