"""Runs the commands backup, restore and migrate, and prints their results to the terminal."""

import argparse
import asyncio

from core.config.settings import Settings
from core.operations.archive import LeftOut
from core.operations.backup import Manifest, backup
from core.operations.migration import migrate
from core.operations.restore import at_rest, restore

SHOWN = 5  # entries that are missing
SHOWN_CHARS = 200  # of a path
INCOMPLETE = 3  # exit status of a restore that left something out


async def run(command: str, settings: Settings, given: argparse.Namespace) -> int:
    """Run a command and return its exit status. Raises: PlatformError: with one line for the terminal."""
    if command == "backup":
        manifest, taken = await asyncio.to_thread(backup, settings, given.file, force=given.force)
        print(f"{given.file}: {_rows(manifest)}, {taken.files:,} files of {taken.size_bytes / 2**20:,.1f} MiB")
        _complain(taken.left_out, "could not be copied and are not in it")
        _say_where_secrets_are(settings)
    elif command == "restore":
        manifest, kept, left_out = await asyncio.to_thread(restore, settings, given.file, force=given.force)
        print(f"{settings.data_dir}: {_rows(manifest)}, as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
        if kept:
            print(f"what was there before is in {kept}")
        _say_where_secrets_are(settings)
        _complain(left_out, "could not be put back; everything else is there")
        return INCOMPLETE if left_out.count else 0
    else:
        at_rest(settings)
        moved = await migrate(settings, to=given.to)
        rows = ", ".join(f"{number:,} {sort}" for sort, number in sorted(moved.tally.rows.items())) or "nothing"
        print(
            f"{moved.target}: {rows}, {'the same already' if moved.already else 'each compared with ' + moved.source}"
        )
        print(f"to use it, set OMA_STORE={given.to}")
    return 0


def _rows(manifest: Manifest) -> str:
    return f"{manifest.rows.get('records', 0):,} records, {manifest.rows.get('events', 0):,} events"


def _complain(left_out: LeftOut, what: str) -> None:
    if left_out.count:
        names = ", ".join(map(shown, left_out.paths[:SHOWN]))
        more = f" and {left_out.count - SHOWN:,} more" if left_out.count > SHOWN else ""
        print(f"{left_out.count:,} entries {what}: {names}{more}")


def shown(path: str) -> str:
    """Return a path that is safe to print: a user chose it, so it may hold any character. A long path keeps its end."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in path)
    return plain if len(plain) <= SHOWN_CHARS else f"…{plain[-SHOWN_CHARS:]}"


def _say_where_secrets_are(settings: Settings) -> None:
    if settings.vault == "google":
        print("users' secrets are not in it: they stay where they are, in Secret Manager")
